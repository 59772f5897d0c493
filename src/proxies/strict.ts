/**
 * Makes every lookup of a template strict. Handlebars' own strict mode covers only what is printed: `{{#each servics}}`
 * or a field of a block parameter would silently be nothing, and an empty pool. Works on the parsed template: each path
 * becomes a call of the lookup helper, which knows its place. Knows nothing of files.
 */

import Handlebars from "handlebars";
import { templateError } from "./template-error.js";

/** The helper that all lookups become: `(@get lenient root part…)`. No template can name it. */
export const GET = "@get";

/** A partial that a template asks for and does not define itself. */
export interface PartialUse {
	readonly name: string;
	readonly place: hbs.AST.SourceLocation;
}

/**
 * Rewrites a parsed template in place and returns the partials that it needs.
 * @throws SolistendError for an unknown helper, and for `{{#name}}` sections, which can not be strict.
 */
export function makeStrict(program: hbs.AST.Program, helpers: readonly string[]): PartialUse[] {
	const visitor = new StrictVisitor(new Set(helpers));
	visitor.accept(program);
	return visitor.partials.filter(({ name }) => !visitor.inlines.has(name));
}

class StrictVisitor extends Handlebars.Visitor {
	readonly mutating = true;
	readonly inlines = new Set<string>();
	readonly partials: PartialUse[] = [];
	readonly #helpers: ReadonlySet<string>;
	/** Names of block parameters, innermost last. */
	readonly #scopes: (readonly string[])[] = [];

	constructor(helpers: ReadonlySet<string>) {
		super();
		this.#helpers = helpers;
	}

	override Program(program: hbs.AST.Program): void {
		this.#scopes.push(program.blockParams ?? []);
		super.Program(program);
		this.#scopes.pop();
	}

	override MustacheStatement(mustache: hbs.AST.MustacheStatement): void {
		if (this.#isCall(mustache)) {
			this.#call(mustache);
			return;
		}
		const { path, params } = this.#get(asPath(mustache.path), false);
		mustache.path = path;
		mustache.params = params;
	}

	override BlockStatement(block: hbs.AST.BlockStatement): void {
		if (!this.#isCall(block)) {
			const name = block.path.original;
			throw templateError(
				block.loc,
				`section "${name}" (write {{#each ${name}}}, {{#if ${name}}} or {{#with ${name}}})`,
			);
		}
		this.#call(block);
		this.acceptKey(block, "program");
		this.acceptKey(block, "inverse");
	}

	override SubExpression(call: hbs.AST.SubExpression): void {
		this.#call(call);
	}

	/** A parameter; helper names and partial names are never visited. */
	override PathExpression(path: hbs.AST.PathExpression): hbs.AST.Expression {
		const isLenient = path.parts.slice(0, -1).includes("options");
		return path.parts.length === 0 || this.#isBlockParameter(path, 1) ? path : this.#get(path, isLenient);
	}

	override PartialStatement(partial: hbs.AST.PartialStatement): void {
		this.#partial(partial);
	}

	override PartialBlockStatement(partial: hbs.AST.PartialBlockStatement): void {
		this.#partial(partial);
		this.acceptKey(partial, "program");
	}

	override DecoratorBlock(decorator: hbs.AST.DecoratorBlock): void {
		const [name] = decorator.params;
		if (decorator.path.original !== "inline" || name === undefined || !isText(name)) {
			throw templateError(decorator.loc, `unknown decorator "${decorator.path.original}" (known: inline "name")`);
		}
		this.inlines.add(name.value);
		this.acceptKey(decorator, "program");
	}

	override Decorator(decorator: hbs.AST.Decorator): void {
		throw templateError(decorator.loc, 'a decorator (known: {{#*inline "name"}})');
	}

	#partial(partial: hbs.AST.PartialStatement | hbs.AST.PartialBlockStatement): void {
		const { name } = partial;
		if (name.type === "SubExpression") throw templateError(partial.loc, "a computed partial (write its name)");
		if (!name.data) this.partials.push({ name: String(name.original), place: partial.loc });
		this.acceptArray(partial.params);
		this.acceptKey(partial, "hash");
	}

	/** Whether it is a helper with its parameters, rather than a name. As Handlebars decides it. */
	#isCall({ path, params, hash }: hbs.AST.MustacheStatement | hbs.AST.BlockStatement): boolean {
		if (params.length > 0 || hash !== undefined) return true;
		if (!isPath(path) || path.parts.length !== 1 || this.#isBlockParameter(path, 1)) return false;
		return this.#helpers.has(path.original);
	}

	#call(call: hbs.AST.MustacheStatement | hbs.AST.BlockStatement | hbs.AST.SubExpression): void {
		const name = asPath(call.path).original;
		if (!this.#helpers.has(name)) {
			throw templateError(call.loc, `unknown helper "${name}" (known: ${[...this.#helpers].sort().join(", ")})`);
		}
		this.acceptArray(call.params);
		this.acceptKey(call, "hash");
	}

	/** `a.b` → `(@get false this "a" "b")`; the root may also be `../`, a block parameter or `@data`. */
	#get(path: hbs.AST.PathExpression, isLenient: boolean): hbs.AST.SubExpression {
		const { loc } = path;
		const rootParts = path.data || this.#isBlockParameter(path) ? 1 : 0;
		const root = { ...path, parts: path.parts.slice(0, rootParts), strict: true };
		const lenient: hbs.AST.BooleanLiteral = { type: "BooleanLiteral", value: isLenient, original: isLenient, loc };
		const names = path.parts
			.slice(rootParts)
			.map((part): hbs.AST.StringLiteral => ({ type: "StringLiteral", value: part, original: part, loc }));
		const params: hbs.AST.Expression[] = [lenient, root, ...names];
		const helper = { type: "PathExpression" as const, data: false, depth: 0, parts: [GET], original: GET, loc };
		return { type: "SubExpression", path: helper, params, hash: { type: "Hash", pairs: [], loc }, loc };
	}

	#isBlockParameter({ data, depth, parts: [first, ...rest], original }: hbs.AST.PathExpression, length?: 1): boolean {
		if (first === undefined || data || depth > 0 || (length === 1 && rest.length > 0)) return false;
		return !/^(\.|this\b)/.test(original) && this.#scopes.some((names) => names.includes(first));
	}
}

function isPath(node: hbs.AST.Expression): node is hbs.AST.PathExpression {
	return node.type === "PathExpression";
}

function isText(node: hbs.AST.Expression): node is hbs.AST.StringLiteral {
	return node.type === "StringLiteral";
}

/** `{{"a name"}}` and `{{12}}` are names as well. */
function asPath(node: hbs.AST.Expression): hbs.AST.PathExpression {
	if (isPath(node)) return node;
	const name = "original" in node ? String(node.original) : node.type;
	return { type: "PathExpression", data: false, depth: 0, parts: [name], original: name, loc: node.loc };
}
