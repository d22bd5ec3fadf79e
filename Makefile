# What to run, and where everything goes. `make help` lists it.
.POSIX:
.PHONY: help build install setup demo check host-tests test lint bench clean

TARGET = x86_64-unknown-linux-gnu
BINARY = target/$(TARGET)/release/persona
# The whole workspace, here and for the tests: each crate is compiled once, with the same features.
HELPERS = cargo build --quiet --locked --workspace --bins
MACHINE = target/$(TARGET)/debug/machine
DESTDIR =
PREFIX = /usr

help:
	@echo 'make demo      boot the test machine, pick a persona, run legion; pictures and report in target/demo/'
	@echo 'make check     formatting, clippy, and all tests that boot nothing'
	@echo 'make test      everything that must hold, boots in QEMU included; SUITE=sid tests on the newest system'
	@echo 'make bench     how fast and how small, against stated rivals'
	@echo 'make fuzz      random bytes for every reader; FUZZ_SECONDS=30 each (needs nightly Rust)'
	@echo 'make soak      commands broken off at random instants; SOAK_ROUNDS=2000, SOAK_SEED=1'
	@echo 'make bless     recorded machines and golden files anew, to be looked at before they are committed'
	@echo 'make build     the static binary: $(BINARY)'
	@echo 'make manual    man pages, in target/manual'
	@echo 'make words     every sentence that a user can see, for a reader'
	@echo 'make install   every file in its place below DESTDIR'
	@echo 'make lint      formatting, clippy, rustdoc'

# Where a crate or this folder lies is not in the program: two builds anywhere by one compiler are the same, byte for byte.
FLAGS = '--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}/registry/src=.', '--remap-path-prefix=$(CURDIR)=.'

# GNU ld, unlike LLD, warns where a function of the C library needs shared libraries after all. The program ends at a panic, so it needs no
# table for finding its way back.
build:
	cargo --config "target.$(TARGET).rustflags = [$(FLAGS)]" rustc --release --locked --bin persona -- \
		-C linker-features=-lld -C link-arg=-Wl,--fatal-warnings -C link-arg=-Wl,--no-eh-frame-hdr

# Man pages, made from the definition of the command line.
.PHONY: manual
manual:
	cargo run --quiet --locked --example manual -- target/manual

# The licences of the fonts and crates in the program.
.PHONY: licences
licences:
	@mkdir -p target
	cargo run --quiet --locked --example licences > target/THIRD-PARTY

# Every sentence that a user can see, for a reader.
.PHONY: words
words:
	cargo run --quiet --locked --example words

install: build manual licences
	$(MAKE) install-files

# The files alone, after `make build manual licences`.
.PHONY: install-files install-program install-manual install-licences
install-files: install-program install-manual install-licences

install-licences:
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/licenses/persona' target/THIRD-PARTY

install-manual:
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/man/man1' target/manual/*.1
	install -Dm644 config/completions/persona.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/persona'
	install -Dm644 config/completions/persona.zsh '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_persona'
	install -Dm644 config/completions/persona.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/persona.fish'

install-program:
	install -Dm755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/persona'
	install -Dm644 config/persona.toml '$(DESTDIR)$(PREFIX)/share/persona/persona.toml'
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/lib/systemd/system' systemd/*.service systemd/*.path systemd/*.mount
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/lib/systemd/system/serial-getty@.service.d' systemd/serial-getty@.service.d/persona.conf
	install -Dm644 systemd/persona.tmpfiles '$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/persona.conf'
	install -Dm644 systemd/persona.sysusers '$(DESTDIR)$(PREFIX)/lib/sysusers.d/persona.conf'
	install -Dm644 systemd/persona.modules-load '$(DESTDIR)$(PREFIX)/lib/modules-load.d/persona.conf'
	install -Dm644 initcpio/install/persona '$(DESTDIR)$(PREFIX)/lib/initcpio/install/persona'
	install -Dm644 initcpio/hooks/persona '$(DESTDIR)$(PREFIX)/lib/initcpio/hooks/persona'
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/doc/persona' README.md
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/doc/persona/docs' docs/guide.md docs/settings.md docs/legion.md docs/design.md docs/control.md docs/json.md
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/licenses/persona' LICENSE-MIT LICENSE-APACHE

# What QEMU, the guest images and the tests need and this machine lacks.
setup: helpers
	$(MACHINE) setup

# The test machine's own programs.
.PHONY: helpers
helpers:
	$(HELPERS)

demo: setup build
	$(MACHINE) demo

# An initramfs carries the binary: it is to stay below 4 MiB. Nor does it tell where it was built.
.PHONY: small
small: build
	@size=$$(wc -c < $(BINARY)) && echo "$(BINARY): $$size bytes of at most 4194304" && test "$$size" -le 4194304
	@! grep -aqF -e "$${CARGO_HOME:-$$HOME/.cargo}" -e '$(CURDIR)' $(BINARY) || { echo '$(BINARY) holds the path of a folder of this machine'; false; }

# All that boots nothing.
check: lint host-tests

host-tests:
	cargo test --workspace --locked --quiet

# The images are made while the tests of the host run; then the scenarios have the processors to themselves.
test: setup small
	@$(MACHINE) image & images=$$!; \
	tests=0; $(MAKE) host-tests || tests=$$?; \
	scenarios=0; { wait $$images && cargo test --quiet --locked --workspace --test scenarios; } || scenarios=$$?; \
	test $$tests -eq 0 || echo 'FAILED: tests of the host (above the scenarios)'; \
	test $$tests -eq 0 && test $$scenarios -eq 0

# Recorded machines and golden files anew, as the code is now. Look at what `git diff` shows before you commit it.
.PHONY: bless
bless:
	PERSONA_BLESS=1 cargo test --locked --test host passthrough
	PERSONA_BLESS=1 cargo test --locked --test host doctor
	PERSONA_BLESS=1 cargo test --locked --test paint
	PERSONA_BLESS=1 cargo test --locked --lib

# Each reader of untrusted bytes under libFuzzer. `make check` feeds them the inputs of fuzz/seeds, without it.
.PHONY: fuzz
FUZZ_SECONDS = 30
FUZZ_TARGETS =
fuzz: helpers
	$(MACHINE) fuzz --seconds '$(FUZZ_SECONDS)' $(FUZZ_TARGETS)

# Commands killed at random instants, and with a disk that is full or fails (as root); then everything is checked.
.PHONY: soak
SOAK_ROUNDS = 2000
SOAK_SEED = 1
soak: helpers
	$(MACHINE) soak --rounds '$(SOAK_ROUNDS)' --seed '$(SOAK_SEED)'

bench: setup build
	cargo run --release --quiet --locked -p persona-machine --bin machine -- bench

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	cargo clippy --workspace --test scenarios --locked --quiet -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet
	@if cargo deny --version > /dev/null 2>&1; then cargo deny --offline check licenses bans sources; \
	else echo 'cargo-deny is not installed: tests/host/dependencies.rs checks licences and duplicates by deny.toml'; fi

clean:
	cargo clean
