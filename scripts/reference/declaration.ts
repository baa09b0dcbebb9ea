/**
 * What a symbol is: its docstring, its declaration without what only the implementation needs, and what that mentions.
 */
import ts from "typescript";

/** Names of types as authors write them, in full length. */
const flags = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;

/** The prose of the docstring, as markdown; then its tags, one a line. */
export function docstringOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  const tags = symbol.getJsDocTags(checker).map(({ name, text = [] }) => {
    const said = withoutLinks(ts.displayPartsToString(text));
    const [parameter = "", ...rest] = said.split(" ");
    return name === "param" ? `- \`${parameter}\`: ${rest.join(" ")}` : `- ${name}: ${said}`;
  });
  return [proseOf(checker, symbol), tags.join("\n")].filter((part) => part !== "").join("\n\n");
}

/** The first sentence that is no code; empty if there is none. */
export function sentenceOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  const prose = proseOf(checker, symbol)
    .replace(/```[\s\S]*?```/g, "")
    .trim();
  const [paragraph = ""] = prose.split("\n\n");
  const [sentence = ""] = paragraph.replace(/\s+/g, " ").split(/(?<=\.) (?=[A-Z`])/);
  return sentence.replaceAll("|", "\\|");
}

/** `{@link x}` is for editors. */
export function withoutLinks(text: string): string {
  return text.replace(/\{@link (\S+?) ?\}/g, "`$1`");
}

/** @returns TypeScript that parses, not formatted */
export function declarationOf(checker: ts.TypeChecker, symbol: ts.Symbol, name: string): string {
  const declarations = symbol.declarations ?? [];
  const parts = declarations.map((node) => {
    if (ts.isFunctionDeclaration(node)) return isHidden(node, declarations) ? "" : `declare ${functionText(node)}`;
    if (ts.isClassDeclaration(node)) return classText(checker, node);
    if (ts.isVariableDeclaration(node))
      return `declare const ${name}: ${node.type?.getText() ?? membersText(checker, symbol, node)};`;
    if (isGathered(checker, node)) return `interface ${name} ${membersText(checker, symbol, node)}`;
    return node
      .getText()
      .replace(/^export /, "")
      .replace(symbol.name, name);
  });
  return parts.join("\n");
}

/** Symbols of the types that the declaration mentions, in its order. */
export function mentionedBy(checker: ts.TypeChecker, symbol: ts.Symbol): readonly ts.Symbol[] {
  const found = new Set<ts.Symbol>();
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || (ts.isClassElement(node) && isPrivate(node))) return;
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined;
    const known = name && definition(checker, checker.getSymbolAtLocation(name));
    if (known) found.add(known);
    ts.forEachChild(node, visit);
  };
  const declarations = symbol.declarations ?? [];
  for (const node of declarations) {
    if (ts.isFunctionDeclaration(node) && isHidden(node, declarations)) continue;
    if (!isGathered(checker, node)) visit(node);
    else for (const member of membersOf(checker, symbol, node)) for (const one of member.declarations ?? []) visit(one);
  }
  return [...found].filter(({ flags: kind }) => !(kind & ts.SymbolFlags.TypeParameter));
}

function proseOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  return withoutLinks(ts.displayPartsToString(symbol.getDocumentationComment(checker))).trim();
}

/** The implementation behind overloads. */
function isHidden(node: ts.FunctionDeclaration, declarations: readonly ts.Declaration[]): boolean {
  return node.body !== undefined && declarations.length > 1;
}

function functionText(node: ts.FunctionDeclaration | ts.MethodDeclaration | ts.ConstructorDeclaration): string {
  const text = node.getText().slice(0, node.body && node.body.getStart() - node.getStart());
  return `${text
    .replace(/^export /, "")
    .replace(/^async /, "")
    .replace(/;?\s*$/, "")};`;
}

function classText(checker: ts.TypeChecker, node: ts.ClassDeclaration): string {
  const members = node.members.filter((member) => !isPrivate(member));
  const parts = members.map((member) => {
    const comment = ts.getJSDocCommentsAndTags(member).map((one) => one.getText());
    if (ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member))
      return [...comment, functionText(member)].join("\n");
    const type = checker.typeToString(checker.getTypeAtLocation(member), node, flags);
    return [...comment, `${readonly(member)}${member.name?.getText()}: ${type};`].join("\n");
  });
  const bases = node.heritageClauses?.map((one) => one.getText()).join(" ") ?? "";
  return `declare class ${node.name?.text} ${bases} {\n${parts.join("\n")}\n}`;
}

function readonly(member: ts.Declaration): string {
  return ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Readonly ? "readonly " : "";
}

function isPrivate(member: ts.ClassElement): boolean {
  return (
    (member.name !== undefined && ts.isPrivateIdentifier(member.name)) ||
    (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0
  );
}

/** A type that is made of what functions return: its members are shown, not where they come from. */
function isGathered(checker: ts.TypeChecker, node: ts.Node): boolean {
  if (ts.isTypeAliasDeclaration(node)) return /^ReturnType<typeof /.test(node.type.getText());
  if (!ts.isInterfaceDeclaration(node)) return false;
  const bases = node.heritageClauses?.flatMap(({ types }) => types) ?? [];
  return bases.some(({ expression }) => {
    const base = definition(checker, checker.getSymbolAtLocation(expression));
    return base?.declarations?.some((one) => isGathered(checker, one)) ?? false;
  });
}

/** Behind imports and exports. */
export function definition(checker: ts.TypeChecker, symbol: ts.Symbol | undefined): ts.Symbol | undefined {
  return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function membersOf(checker: ts.TypeChecker, symbol: ts.Symbol, node: ts.Node): readonly ts.Symbol[] {
  const type = ts.isVariableDeclaration(node)
    ? checker.getTypeOfSymbol(symbol)
    : checker.getDeclaredTypeOfSymbol(symbol);
  return checker.getPropertiesOfType(type);
}

function membersText(checker: ts.TypeChecker, symbol: ts.Symbol, node: ts.Node): string {
  const members = membersOf(checker, symbol, node).flatMap((member) => {
    const type = checker.getTypeOfSymbol(member);
    const [signature] = type.getCallSignatures();
    const comment = docstringOf(checker, member).replace(/^- (\w+): /gm, "@$1 ");
    const lines = comment.split(/\n+/);
    const shown = lines.length > 1 ? ["/**", ...lines.map((line) => ` * ${line}`), " */"] : [`/** ${comment} */`];
    const text = signature
      ? checker.signatureToString(signature, node, flags)
      : `: ${checker.typeToString(type, node, flags)}`;
    const declared = member.declarations?.some((one) => readonly(one) !== "") ? "readonly " : "";
    return [...(comment === "" ? [] : shown), `${declared}${member.name}${text};`];
  });
  return `{\n${members.join("\n")}\n}`;
}
