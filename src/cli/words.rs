//! Lists every sentence that a user can see, for a reader who checks them: the help of each command, the menu's words in each language,
//! and the sentences in the source of the program. `make words` runs it. It is no part of the program.

use clap::CommandFactory;
use persona::cli::Cli;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The sentences in one source file, without its tests.
#[derive(Default)]
struct Sentences(BTreeSet<(usize, String)>);

impl Sentences {
    /// What has at least two words, and more letters than signs.
    fn keep(&mut self, literal: &syn::LitStr) {
        let text = literal.value();
        let letters = text.chars().filter(|letter| letter.is_alphabetic() || letter.is_whitespace()).count();
        let is_sentence = text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() > 1;
        if is_sentence && 3 * letters > 2 * text.chars().count() {
            self.0.insert((literal.span().start().line, text));
        }
    }

    /// The arguments of a macro.
    fn look_into(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.look_into(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(literal) = syn::parse2::<syn::LitStr>(TokenTree::Literal(literal).into()) {
                        self.keep(&literal);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test")))
}

impl<'ast> Visit<'ast> for Sentences {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    /// Attributes are documentation, or help that is printed with the commands.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let is_assertion = call.path.get_ident().is_some_and(|name| name.to_string().starts_with("assert"));
        if !is_assertion {
            self.look_into(call.tokens.clone());
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.keep(literal);
    }
}

/// The source files below a folder, tests left out.
fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && stem != "tests" {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !stem.ends_with("tests") {
            files.push(path);
        }
    }
    Ok(files)
}

fn help(command: &mut clap::Command, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "\n## {}\n\n{}", command.get_bin_name().unwrap_or(command.get_name()).to_owned(), command.render_long_help())?;
    command.get_subcommands_mut().filter(|command| !command.is_hide_set()).try_for_each(|command| help(command, out))
}

fn main() -> std::io::Result<()> {
    let out = &mut std::io::stdout().lock();
    writeln!(out, "# Help")?;
    let mut command = Cli::command();
    command.build();
    help(&mut command, out)?;
    writeln!(out, "\n# Sentences by source file; those of the menu are in src/paint/language")?;
    let mut count = 0;
    for file in sources(Path::new("src"))? {
        let parsed = syn::parse_file(&std::fs::read_to_string(&file)?).map_err(std::io::Error::other)?;
        let mut sentences = Sentences::default();
        sentences.visit_file(&parsed);
        if !sentences.0.is_empty() {
            writeln!(out, "\n## {}\n", file.display())?;
        }
        count += sentences.0.len();
        for (line, text) in sentences.0 {
            writeln!(out, "{line:4}  {}", text.replace('\n', "\n      "))?;
        }
    }
    writeln!(out, "\n{count} sentences")
}
