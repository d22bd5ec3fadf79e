# What to run, and where everything goes. `make help` lists it.
.POSIX:
.PHONY: help build install setup demo test lint bench clean

TARGET = x86_64-unknown-linux-gnu
BINARY = target/$(TARGET)/release/persona
MACHINE = cargo run --quiet --locked -p persona-machine --
DESTDIR =
PREFIX = /usr

help:
	@echo 'make demo      boot the test machine, pick a persona, run legion; pictures and report in target/demo/'
	@echo 'make test      everything that must hold, boots in QEMU included'
	@echo 'make bench     how fast and how small, against stated rivals'
	@echo 'make bless     recorded machines and golden files anew, to be looked at before they are committed'
	@echo 'make build     the static binary: $(BINARY)'
	@echo 'make install   every file in its place below DESTDIR'
	@echo 'make lint      formatting, clippy, rustdoc'

build:
	cargo build --release --locked

install: build
	$(MAKE) install-files

# The files alone, for those who have built already.
.PHONY: install-files
install-files:
	install -Dm755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/persona'
	install -Dm644 config/persona.toml '$(DESTDIR)$(PREFIX)/share/persona/persona.toml'
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/lib/systemd/system' systemd/*.service systemd/*.path
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/lib/systemd/system/serial-getty@.service.d' systemd/serial-getty@.service.d/persona.conf
	install -Dm644 systemd/persona.tmpfiles '$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/persona.conf'
	install -Dm644 systemd/persona.sysusers '$(DESTDIR)$(PREFIX)/lib/sysusers.d/persona.conf'
	install -Dm644 systemd/persona.modules-load '$(DESTDIR)$(PREFIX)/lib/modules-load.d/persona.conf'
	install -Dm644 initcpio/install/persona '$(DESTDIR)$(PREFIX)/lib/initcpio/install/persona'
	install -Dm644 initcpio/hooks/persona '$(DESTDIR)$(PREFIX)/lib/initcpio/hooks/persona'
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/doc/persona' README.md docs/legion.md docs/control.md docs/json.md
	install -Dm644 config/completions/persona.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/persona'
	install -Dm644 config/completions/persona.zsh '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_persona'
	install -Dm644 config/completions/persona.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/persona.fish'
	install -Dm644 -t '$(DESTDIR)$(PREFIX)/share/licenses/persona' LICENSE-MIT LICENSE-APACHE

# What QEMU, the guest images and the tests need and this machine lacks.
setup:
	$(MACHINE) setup

demo: setup build
	$(MACHINE) demo

# An initramfs carries the binary: it is to stay below 4 MiB.
.PHONY: small
small: build
	@size=$$(wc -c < $(BINARY)) && echo "$(BINARY): $$size bytes of at most 4194304" && test "$$size" -le 4194304

# The boots share two processors with their emulator: one at a time.
test: setup build small
	cargo test --workspace --locked --exclude persona-machine
	cargo test --locked -p persona-machine --doc
	rm -f target/machine/broken-off
	@cargo test --locked -p persona-machine --tests --no-fail-fast -- --test-threads 1 --nocapture; status=$$?; \
	if test -e target/machine/broken-off; then echo 'Machines that broke off; each test was run again:'; cat target/machine/broken-off; fi; \
	exit $$status

# Recorded machines and golden files anew, as the code is now. Look at what `git diff` shows before you commit it.
.PHONY: bless
bless:
	PERSONA_BLESS=1 cargo test --locked --test passthrough
	PERSONA_BLESS=1 cargo test --locked --test doctor --test paint
	PERSONA_BLESS=1 cargo test --locked -p persona-lib

bench: setup build
	cargo run --release --quiet --locked -p persona-machine -- bench

lint: static
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet

# GNU ld, unlike LLD, tells which functions of the C library need shared libraries after all.
.PHONY: static
static:
	RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static -C linker-features=-lld -C link-arg=-Wl,--fatal-warnings' \
		cargo build --release --locked --bin persona --target-dir target/static

clean:
	cargo clean
