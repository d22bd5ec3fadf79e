//! `persona cartridge` as its users meet it.

use super::bench::{Bench, PERSONA};
use persona::config::Settings;
use persona::legion::cartridge::Shelf;
use persona::legion::cartridge::slot;
use persona::legion::{Cartridge, LegionLock};
use persona::state::{LegionState, Phase};
use persona::sys::paths::Paths;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

fn inspect(bench: &Bench, name: &str) -> Cartridge {
    Cartridge::inspect(&Paths::new(bench.root(), None), Path::new("/shelf"), name).unwrap()
}

fn mode(bench: &Bench, path: &str) -> u32 {
    fs::metadata(bench.path(path)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_cartridge_is_whole_and_nobody_elses() {
    let bench = Bench::new();
    let wanted = bench.entry("gondor");
    assert_eq!(wanted["trouble_code"], "cartridge-missing", "what is wanted and not there");
    assert!(wanted["hint"].as_str().unwrap().contains("persona cartridge create gondor --size 200G"), "{wanted}");
    bench.succeeds(&["create", "gondor", "--size", "200G"]);
    bench.succeeds(&["create", "mordor", "--size", "1T", "--format", "raw"]);
    let gondor = bench.entry("gondor");
    assert_eq!((&gondor["size"], &gondor["disk"], &gondor["firmware"]), (&(200_u64 << 30).into(), &"disk.qcow2".into(), &"uefi".into()));
    assert_eq!(bench.entry("mordor")["size"], 1_u64 << 40);
    assert!(bench.entry("mordor")["used"].as_u64().unwrap() < 4 << 20, "it takes room as it fills");
    assert_eq!([mode(&bench, "shelf"), mode(&bench, "shelf/mordor"), mode(&bench, "shelf/mordor/tpm")], [0o711, 0o700, 0o700]);
    assert_eq!([mode(&bench, "shelf/mordor/disk.raw"), mode(&bench, "shelf/mordor/nvram.fd")], [0o600, 0o600]);
    assert_eq!(fs::read(bench.path("shelf/gondor/nvram.fd")).unwrap()[0], b'-');
    assert_eq!(fs::read(bench.path("shelf/mordor/nvram.fd")).unwrap()[0], b'S', "Windows gets the variables with Secure Boot's keys");
    assert!(!bench.path("shelf/gondor/tpm").exists());
    bench.fails(&["create", "gondor", "--size", "1G"]);
    assert_eq!(bench.entry("gondor")["size"], 200_u64 << 30, "it is left as it was");
    bench.succeeds(&["create", "lab", "--size", "1M", "--firmware", "bios"]);
    assert_eq!(bench.entry("lab")["firmware"], "bios");
}

#[test]
fn the_installation_image_stays_until_the_disk_boots() {
    let bench = Bench::new();
    let paths = Paths::new(bench.root(), None);
    fs::write(bench.path("images/some.iso"), vec![1; 100_000]).unwrap();
    for format in ["qcow2", "raw"] {
        bench.succeeds(&["create", format, "--size", "1M", "--format", format, "--install", "/images/some.iso"]);
        let cartridge = inspect(&bench, format);
        assert_eq!(cartridge.install.as_deref(), Some(Path::new(&format!("/shelf/{format}/install.iso"))));
        assert!(!cartridge.end_installation(&paths).unwrap(), "the disk is blank");
        bench.qemu_io(&format!("shelf/{format}/disk.{format}"), "write -P 0x55 510 1");
        bench.qemu_io(&format!("shelf/{format}/disk.{format}"), "write -P 0xaa 511 1");
        assert!(cartridge.end_installation(&paths).unwrap());
        assert_eq!(inspect(&bench, format).install, None);
    }
    bench.succeeds(&["create", "given-up", "--size", "1M", "--install", "/images/some.iso"]);
    bench.succeeds(&["installed", "given-up"]);
    assert_eq!(inspect(&bench, "given-up").install, None);
}

#[test]
fn an_image_of_any_format_becomes_the_same_disk() {
    let bench = Bench::new();
    for (number, format) in ["vmdk", "vdi", "raw", "qcow2"].into_iter().enumerate() {
        let (file, name) = (format!("images/{format}"), format!("from-{format}"));
        let path = bench.path(&file).display().to_string();
        assert!(Command::new("qemu-img").args(["create", "-q", "-f", format, &path, "16M"]).status().unwrap().success());
        // A partition table: what has none is taken for no disk.
        for write in [&format!("write -P {number} 5M 64k"), "write -P 0x55 510 1", "write -P 0xaa 511 1"] {
            assert!(Command::new("qemu-io").args(["-f", format, "-c", write, &path]).stdout(Stdio::null()).status().unwrap().success());
        }
        let to = if number % 2 == 0 { "qcow2" } else { "raw" };
        bench.succeeds(&["import", &name, &format!("/{file}"), "--format", to]);
        bench.qemu_io(&format!("shelf/{name}/disk.{to}"), &format!("read -P {number} 5M 64k"));
        let entry = bench.entry(&name);
        assert!(entry["size"] == 16 << 20 && entry["used"].as_u64().unwrap() < 2 << 20, "{entry}");
        assert_eq!(entry["firmware"], "bios", "as the disk was installed");
    }
    assert_eq!(bench.run(&["import", "none", "/images/none"]).status.code(), Some(1));
    assert_eq!(bench.half_made(), [] as [&Path; 0]);
}

#[test]
fn image_that_names_a_file_of_the_host_is_refused_and_nothing_is_left() {
    let bench = Bench::new();
    let secret = bench.path("images/secret").display().to_string();
    fs::write(&secret, [b'x'; 1 << 16]).unwrap();
    let image = bench.path("images/stranger.qcow2").display().to_string();
    let arguments = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &secret, &image];
    assert!(Command::new("qemu-img").args(arguments).status().unwrap().success());
    let output = bench.run(&["import", "gondor", "/images/stranger.qcow2"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("images/secret"), "{said}");
    assert!(!bench.path("shelf/gondor").exists());
    assert_eq!(bench.half_made(), [] as [&Path; 0]);
    // A cartridge with such an image is not opened either.
    bench.succeeds(&["create", "gondor", "--size", "1M"]);
    fs::copy(&image, bench.path("shelf/gondor/disk.qcow2")).unwrap();
    assert_eq!(bench.entry("gondor")["trouble_code"], "source-needs-other-files");
}

fn qemu(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

#[test]
fn image_with_backing_files_in_its_folder_is_flattened_when_that_is_asked_for() {
    let bench = Bench::new();
    let at = |file: &str| bench.path("images").join(file).display().to_string();
    fs::create_dir(bench.path("images/sub")).unwrap();
    for area in [(0, "write -P 1 0 4M"), (1, "write -P 2 1M 1M"), (2, "write -P 3 2M 1M")] {
        match area.0 {
            0 => qemu("qemu-img", &["create", "-q", "-f", "raw", &at("sub/base.raw"), "4M"]),
            // As it is named: beside the image, and with its whole path.
            1 => qemu("qemu-img", &["create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw", &at("sub/middle.qcow2")]),
            _ => qemu("qemu-img", &["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &at("sub/middle.qcow2"), &at("top.qcow2")]),
        }
        let (file, format) = [("sub/base.raw", "raw"), ("sub/middle.qcow2", "qcow2"), ("top.qcow2", "qcow2")][area.0];
        qemu("qemu-io", &["-f", format, "-c", area.1, &at(file)]);
    }
    qemu("qemu-img", &["snapshot", "-c", "before the upgrade", &at("sub/middle.qcow2")]);
    assert!(bench.fails(&["import", "gondor", "/images/top.qcow2"]).contains("--flatten"));
    let output = bench.run(&["import", "gondor", "/images/top.qcow2", "--flatten", "--firmware", "bios"]);
    let (out, words) = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).into();
    assert!(output.status.success(), "{words}");
    assert!(out.contains("sub/middle.qcow2") && out.contains("sub/base.raw"), "each file is named: {out}");
    assert!(words.contains("before the upgrade"), "a snapshot that is not copied is named: {words}");
    for read in ["read -P 1 0 1M", "read -P 2 1M 1M", "read -P 3 2M 1M", "read -P 1 3M 1M"] {
        bench.qemu_io("shelf/gondor/disk.qcow2", read);
    }
    assert!(bench.is_well("gondor"), "it needs no other file: {}", bench.entry("gondor"));
}

#[test]
fn backing_file_that_is_elsewhere_or_a_link_is_not_read() {
    let bench = Bench::new();
    let at = |file: &str| bench.path(file).display().to_string();
    fs::write(at("secret"), vec![7; 1 << 20]).unwrap();
    std::os::unix::fs::symlink(at("secret"), at("images/link")).unwrap();
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::write(at("elsewhere/file"), vec![7; 1 << 20]).unwrap();
    std::os::unix::fs::symlink(at("elsewhere"), at("images/folder")).unwrap();
    let image = at("images/top.qcow2");
    for name in [&at("secret"), "../secret", "link", "folder/file", "nbd:localhost:1", "json:{\"driver\":\"null-co\"}", "top.qcow2", "none"]
    {
        let format = if name == "top.qcow2" { "qcow2" } else { "raw" };
        qemu("qemu-img", &["create", "-q", "-u", "-f", "qcow2", "-F", format, "-b", name, &image, "1M"]);
        let output = bench.run(&["import", "gondor", "/images/top.qcow2", "--flatten", "--firmware", "bios"]);
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        assert!(!bench.path("shelf/gondor").exists() && bench.half_made().is_empty(), "{name}");
    }
}

#[test]
fn a_disk_that_a_virtual_machine_uses_is_left_alone() {
    let bench = Bench::new();
    bench.succeeds(&["create", "gondor", "--size", "1M"]);
    fs::copy(bench.path("shelf/gondor/disk.qcow2"), bench.path("images/used.qcow2")).unwrap();
    for disk in ["shelf/gondor/disk.qcow2", "images/used.qcow2"] {
        // qemu-io opens an image as a virtual machine does.
        let mut holder = Command::new("qemu-io").arg(bench.path(disk)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut orders, mut answers) = (holder.stdin.take().unwrap(), BufReader::new(holder.stdout.take().unwrap()));
        orders.write_all(b"read 0 512\n").unwrap();
        answers.read_line(&mut String::new()).unwrap();
        if disk.starts_with("images") {
            bench.fails(&["import", "copy", "/images/used.qcow2"]);
            assert_eq!(bench.entry("copy"), Value::Null);
        } else {
            let error = inspect(&bench, "gondor").ensure_free(&Paths::new(bench.root(), None)).unwrap_err();
            assert_eq!(error.code(), Some("disk-in-use"), "{error}");
            for command in [&["save", "gondor", "a"][..], &["remove", "gondor", "--yes"]] {
                bench.fails(command);
                let gondor = bench.entry("gondor");
                assert_eq!((&gondor["trouble_code"], &gondor["snapshots"]), (&"disk-in-use".into(), &Value::Array(vec![])));
            }
        }
        orders.write_all(b"quit\n").unwrap();
        assert!(holder.wait().unwrap().success());
    }
    bench.succeeds(&["save", "gondor", "a"]);
}

#[test]
fn what_is_in_the_slot_stays_and_what_runs_is_not_changed() {
    let bench = Bench::new();
    let paths = Paths::new(bench.root(), None);
    bench.succeeds(&["create", "gondor", "--size", "1M"]);
    bench.succeeds(&["save", "gondor", "fresh"]);
    let lock = LegionLock::take(&paths).unwrap();
    slot::insert(&lock, &paths, Path::new("/slot"), &inspect(&bench, "gondor")).unwrap();
    bench.fails(&["remove", "gondor", "--yes"]);
    for command in [&["save", "gondor", "other"][..], &["restore", "gondor", "fresh"], &["forget", "gondor", "fresh"]] {
        bench.fails(command);
    }
    assert_eq!(bench.entry("gondor")["snapshots"], Value::from(vec!["fresh"]));
    drop(lock);
    let settings = Settings::load(&paths).unwrap();
    assert_eq!(Shelf::of(&paths, &settings, "gondor").remove("gondor").unwrap_err().code(), Some("cartridge-in-slot"));
    bench.succeeds(&["restore", "gondor", "fresh"]);
    assert_eq!(bench.entry("gondor")["in_slot"], true);
}

#[test]
fn removing_is_confirmed() {
    let bench = Bench::new();
    bench.succeeds(&["create", "gondor", "--size", "1M"]);
    assert!(bench.fails(&["remove", "gondor"]).contains("--yes"));
    assert!(bench.is_well("gondor"));
    bench.succeeds(&["remove", "gondor", "--yes"]);
    assert!(!bench.path("shelf/gondor").exists());
}

#[test]
fn leftover_beside_a_cartridge_of_its_name_is_not_cleared_by_removing_that() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("shelf/.partial-gondor")).unwrap();
    let hint = |bench: &Bench| bench.list()["leftovers"][0]["hint"].as_str().unwrap().to_owned();
    assert_eq!(hint(&bench), "persona cartridge remove gondor");
    fs::create_dir_all(bench.path("shelf/gondor")).unwrap();
    assert_eq!(hint(&bench), "rm -r /shelf/.partial-gondor");
}

#[test]
fn a_truncated_disk_is_told() {
    let bench = Bench::new();
    bench.succeeds(&["create", "gondor", "--size", "64M"]);
    bench.qemu_io("shelf/gondor/disk.qcow2", "write -P 1 0 4M");
    let disk = fs::OpenOptions::new().write(true).open(bench.path("shelf/gondor/disk.qcow2")).unwrap();
    disk.set_len(disk.metadata().unwrap().len() / 2).unwrap();
    drop(disk);
    assert_eq!(bench.entry("gondor")["trouble_code"], "image-damaged");
    let paths = Paths::new(bench.root(), None);
    assert!(inspect(&bench, "gondor").ensure_free(&paths).is_err());

    let trouble = || {
        let list = Command::new(PERSONA).arg("--root").arg(bench.root()).args(["list", "--json"]).output().unwrap();
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        list[0]["cartridge_trouble_code"].clone()
    };
    assert_eq!(trouble(), "image-damaged");
    // What legion runs from is whole or not as QEMU has it: the file lags behind.
    LegionState::new(Phase::Running, "gondor").write(&paths).unwrap();
    assert_eq!(trouble(), "image-damaged", "another one may be in the slot");
    std::os::unix::fs::symlink("shelf/gondor", bench.path("slot")).unwrap();
    assert_eq!(trouble(), Value::Null);
}

#[test]
fn the_last_run_is_remembered() {
    let bench = Bench::new();
    bench.succeeds(&["create", "gondor", "--size", "1M"]);
    assert_eq!(bench.entry("gondor")["last_run"], Value::Null);
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    inspect(&bench, "gondor").ran(&Paths::new(bench.root(), None), then).unwrap();
    assert_eq!(bench.entry("gondor")["last_run"], 1_000_000_000);
}

/// What `qemu-img` is while it works on an image: an impostor in its place writes that down.
#[test]
fn foreign_image_is_read_by_a_user_of_its_own_within_limits() {
    if persona::sys::syscalls::effective_user() != 0 {
        return;
    }
    let bench = Bench::new();
    let vdi = bench.path("images/old.vdi").display().to_string();
    assert!(Command::new("qemu-img").args(["create", "-q", "-f", "vdi", &vdi, "1M"]).status().unwrap().success());
    let (folder, log) = (bench.path("impostor"), bench.path("impostor.log"));
    fs::create_dir(&folder).unwrap();
    fs::write(&log, "").unwrap();
    for path in [bench.root(), &folder, &log] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let script = format!(
        "#!/bin/sh\ntrap '' XFSZ\n{{ echo \"run $1 as $(id -u)\"; grep -E 'NoNewPrivs|^CapEff|^Groups' /proc/self/status; \
         echo \"files $(ulimit -f) core $(ulimit -c) net $(wc -l < /proc/self/net/dev)\"; }} >> {0} 2> /dev/null || :\n\
         exec /usr/bin/env PATH=/usr/bin:/bin qemu-img \"$@\"\n",
        log.display()
    );
    fs::write(folder.join("qemu-img"), script).unwrap();
    fs::set_permissions(folder.join("qemu-img"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let import = |name: &str| bench.persona(&["import", name, "/images/old.vdi"]).env("PATH", &path).output().unwrap();
    // What only its owner may read, the user may not read either: the message says what to do.
    fs::set_permissions(&vdi, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = import("gondor");
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && message.contains("old.vdi") && message.contains("chmod o+r"), "{message}");
    assert_eq!(bench.half_made(), [] as [&Path; 0]);
    // The folder may be closed to it: it gets the open file.
    fs::set_permissions(&vdi, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(bench.path("images"), fs::Permissions::from_mode(0o700)).unwrap();
    let imported = import("gondor");
    assert!(imported.status.success(), "{imported:?}");
    let metadata = fs::metadata(bench.path("shelf/gondor/disk.qcow2")).unwrap();
    assert_eq!((std::os::unix::fs::MetadataExt::uid(&metadata), metadata.permissions().mode() & 0o777), (0, 0o600));
    let log = fs::read_to_string(&log).unwrap();
    let runs: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("run ")).collect();
    // What only looks cannot write to a file, the impostor's log included.
    assert_eq!(runs, ["convert as 65534"], "{log}");
    assert!(log.contains("NoNewPrivs:\t1") && log.contains("CapEff:\t0000000000000000") && log.contains("core 0 net 3"), "{log}");
    // Without the user, root does not read it instead.
    fs::write(bench.path("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
    let message = bench.fails(&["import", "mordor", "/images/old.vdi"]);
    assert!(message.contains("persona-image") && message.contains("systemd-sysusers"), "{message}");
}
