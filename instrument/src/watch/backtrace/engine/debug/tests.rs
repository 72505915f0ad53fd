//! Small programs whose debug information is in all the places where builds and distributions put it. Made with the
//! compiler that links Rust programs, too; without one there is nothing to test.

use std::process::Command;

use object::ObjectSymbol;

use super::*;
use crate::watch::backtrace::engine::names::Names;

/// A folder with `shop`, a program with debug information.
fn program() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("shop.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").expect("a file");
    run(folder.path(), "cc", &["-g", "-gz=none", "-Wl,--build-id=sha1", "-o", "shop", "shop.c"])
        .then_some(folder)
}

/// Whether the command did what it was asked for; a machine that does not have it has nothing to test.
fn run(folder: &Path, command: &str, arguments: &[&str]) -> bool {
    Command::new(command).args(arguments).current_dir(folder).status().is_ok_and(|status| status.success())
}

fn found(folder: &Path, program: &str) -> Result<Arc<Mapped>, String> {
    let path = folder.join(program);
    find_below(&folder.join("global"), &anonymous(&path), &path)
}

/// A file's bytes.
fn anonymous(path: &Path) -> Arc<Mapped> {
    let mut bytes =
        MappedMut::zeroes(std::fs::metadata(path).expect("a file").len() as usize).expect("memory");
    File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).expect("readable");
    Arc::new(bytes.into_read_only().expect("memory"))
}

fn has_lines(found: &Result<Arc<Mapped>, String>) -> bool {
    let elf = |bytes: &Arc<Mapped>| {
        range_of(&Elf::parse(&***bytes).expect("an ELF file"), b".debug_info").is_some()
    };
    found.as_ref().is_ok_and(elf)
}

#[test]
fn what_is_in_a_file_of_its_own_is_found_by_its_name_and_by_its_build_id() {
    let Some(folder) = program() else { return };
    let folder = folder.path();
    assert!(has_lines(&found(folder, "shop")), "in the program itself");
    if !run(folder, "objcopy", &["--only-keep-debug", "shop", "shop.debug"])
        || !run(folder, "objcopy", &["--strip-debug", "--add-gnu-debuglink=shop.debug", "shop", "stripped"])
    {
        return;
    }
    assert!(has_lines(&found(folder, "stripped")), "beside it");
    std::fs::create_dir(folder.join(".debug")).expect("a folder");
    std::fs::rename(folder.join("shop.debug"), folder.join(".debug/shop.debug")).expect("moved");
    assert!(has_lines(&found(folder, "stripped")), "in a folder beside it");

    let program = std::fs::read(folder.join("shop")).expect("readable");
    let id = Elf::parse(&*program)
        .expect("an ELF file")
        .build_id()
        .expect("readable")
        .expect("it has one")
        .to_vec();
    let hex = hex(&id);
    let place = folder.join("global/.build-id").join(&hex[..2]);
    std::fs::create_dir_all(&place).expect("a folder");
    let moved = place.join(format!("{}.debug", &hex[2..]));
    std::fs::rename(folder.join(".debug/shop.debug"), moved).expect("moved");
    assert!(has_lines(&found(folder, "stripped")), "where distributions put it");

    std::fs::remove_dir_all(folder.join("global")).expect("removed");
    let why = found(folder, "stripped").expect_err("it is gone");
    assert!(why.contains("is in shop.debug, which is neither beside it"), "{why}");
    std::fs::write(folder.join("other.c"), "int main(void) { return 7; }\n").expect("a file");
    assert!(run(folder, "cc", &["-g", "-Wl,--build-id=sha1", "-o", "shop.debug", "other.c"]));
    let why = found(folder, "stripped").expect_err("it is of another program");
    assert!(why.ends_with("shop.debug is of another build"), "{why}");
}

#[test]
fn what_is_not_read_says_why() {
    let Some(folder) = program() else { return };
    let folder = folder.path();
    if run(folder, "objcopy", &["--compress-debug-sections=zlib", "shop", "compressed"]) {
        let why = found(folder, "compressed").expect_err("it is not read");
        assert!(why.contains("compressed, which is not read; link with"), "{why}");
    }
    if run(folder, "objcopy", &["--strip-debug", "shop", "bare"]) {
        let why = found(folder, "bare").expect_err("there is none");
        assert!(why.contains("no debug information; build with debug = "), "{why}");
    }
}

#[test]
fn lines_are_known_where_a_dwo_tells_of_the_rest() {
    let Some(folder) = program() else { return };
    let folder = folder.path();
    if !run(folder, "cc", &["-g", "-gz=none", "-gsplit-dwarf", "-o", "split", "shop.c"]) {
        return;
    }
    let bytes = found(folder, "split").expect("it has what is not in the .dwo");
    let elf = Elf::parse(&**bytes).expect("an ELF file");
    let main = elf.symbols().find(|symbol| symbol.name() == Ok("main")).expect("it has a main").address();
    let names = Names::new(&bytes, None).at(main);
    let [main] = &names[..] else { panic!("{names:?}") };
    assert_eq!((main.function.as_deref(), main.line), (Some("main"), Some(1)));
    assert!(main.file.as_deref().is_some_and(|file| file.ends_with("shop.c")), "{main:?}");
}

#[test]
fn what_is_released_is_read_again_and_not_for_names_that_were_found() {
    let Some(folder) = program() else { return };
    let folder = folder.path();
    if !run(folder, "objcopy", &["--only-keep-debug", "shop", "shop.debug"])
        || !run(folder, "objcopy", &["--strip-debug", "--add-gnu-debuglink=shop.debug", "shop", "stripped"])
    {
        return;
    }
    let path = folder.join("stripped");
    let bytes = anonymous(&path);
    let elf = Elf::parse(&**bytes).expect("an ELF file");
    let main = elf.symbols().find(|symbol| symbol.name() == Ok("main")).expect("it has a main").address();
    let mut names = Names::new(&bytes, Some(&path));
    let mut line = |address| names.at(address).first().and_then(|name| name.line);
    assert_eq!(line(main), Some(1));
    std::fs::remove_file(folder.join("shop.debug")).expect("removed");
    assert_eq!(line(main + 1), Some(1), "it was read");
    names.release();
    let mut line = |address| names.at(address).first().and_then(|name| name.line);
    assert_eq!((line(main), line(main + 1)), (Some(1), Some(1)), "both were found");
    assert_eq!(line(main + 2), None, "it is gone");
    assert!(names.why().is_some());
}

#[test]
fn the_checksum_is_the_one_that_links_have() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(crc32(b""), 0);
}
