//! What the committed header declares, read from its text. Depends on the standard library alone.
#![allow(dead_code, reason = "each test program uses its part")]

/// The names of the declared functions, sorted.
pub fn functions(header: &str) -> Vec<String> {
    let mut names: Vec<String> = declarations(header).iter().map(|declaration| name_of(declaration)).collect();
    names.sort();
    names
}

/// Each declared function, from `FLAGSTONE_API` to before its semicolon.
pub fn declarations(header: &str) -> Vec<String> {
    let code = without_comments(header);
    code.split("FLAGSTONE_API ")
        .chain(code.split("FLAGSTONE_API\n").skip(1))
        .filter_map(|rest| rest.split_once(';').map(|(declaration, _)| declaration.trim().to_owned()))
        .filter(|declaration| {
            // A type of functions is none.
            let is_type = declaration.starts_with("typedef");
            declaration.contains("flagstone_") && declaration.ends_with(')') && !declaration.contains('#') && !is_type
        })
        .collect()
}

/// The name of the function that is declared.
pub fn name_of(declaration: &str) -> String {
    let before = declaration.split('(').next().unwrap_or_default();
    before.rsplit([' ', '*']).next().unwrap_or_default().to_owned()
}

/// Each declared function with the comment before it.
pub fn documented(header: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    for part in header.split("/**\n").skip(1) {
        let (comment, rest) = part.split_once("*/").unwrap_or_default();
        found.extend(declarations(rest).into_iter().next_back().map(|declaration| (comment, declaration)));
    }
    found
}

/// The names of all constants: members of enums, and numbers that are defined.
pub fn constants(header: &str) -> Vec<String> {
    let code = without_comments(header);
    let mut names = Vec::new();
    for line in code.lines().map(str::trim) {
        let name = match line.strip_prefix("#define ") {
            Some(definition) => {
                definition.split_once(' ').filter(|(_, value)| value.parse::<i64>().is_ok()).map(|(name, _)| name)
            }
            None => line.split_once(" = ").map(|(name, _)| name),
        };
        names.extend(name.filter(|name| name.starts_with("FLAGSTONE_")).map(str::to_owned));
    }
    names.sort();
    names
}

/// The names of the structs whose members are declared.
pub fn structs(header: &str) -> Vec<String> {
    let code = without_comments(header);
    let mut names: Vec<String> = code
        .lines()
        .filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

fn without_comments(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}
