/**
 * Of Nginx's language: upstreams with servers at IP addresses and how they are chosen, and the server of
 * `options.unavailable`, which answers 503. Pure. Not in the list, among others: `include`, `load_module`, logs, whatever
 * names a file, and unix sockets.
 */

import { parseIp } from "../ip.js";
import type { Forbidden, Trusted } from "./allowed.js";

/** Statements of an upstream, and what their arguments may look like, each after a blank. */
const STATEMENTS: Readonly<Record<string, RegExp>> = {
	hash: /^ [A-Za-z0-9_$]+( consistent)?$/,
	ip_hash: /^$/,
	keepalive: /^ \d+$/,
	keepalive_requests: /^ \d+$/,
	keepalive_time: /^ \d+(ms|s|m|h)?$/,
	keepalive_timeout: /^ \d+(ms|s|m|h)?$/,
	least_conn: /^$/,
	random: /^( two( least_conn)?)?$/,
	zone: /^ [A-Za-z0-9_.:-]+ \d+[kKmM]?$/,
};

/** What may follow a server's address. */
const SERVER_WORD =
	/^(backup|down|weight=\d+|max_fails=\d+|max_conns=\d+|fail_timeout=\d+(ms|s|m|h)?|slow_start=\d+(ms|s|m|h)?)$/;

const NAME = /^[A-Za-z0-9_.:-]+$/;

type Token = { readonly kind: "word" | "punctuation"; readonly text: string; readonly line: number };

interface Statement {
	readonly words: readonly string[];
	readonly line: number;
	/** Undefined: it ends with a semicolon. */
	readonly block?: readonly Statement[];
}

/** The first statement that may not be there. */
export function forbiddenInNginx(text: string, trusted: Trusted): Forbidden | undefined {
	try {
		const statements = parse(tokens(withoutTrusted(text, trusted.texts)));
		return first(statements, (statement) => forbiddenAtTop(statement, trusted));
	} catch (error) {
		if (error instanceof Unreadable) return { line: error.line, why: error.message };
		throw error;
	}
}

/** Without the whole lines that the configuration has (`options.upstreamLines`); each must be statements that have ended. */
function withoutTrusted(text: string, texts: ReadonlySet<string>): string {
	return text
		.split("\n")
		.map((line) => (line.trimEnd().endsWith(";") && texts.has(line.trim()) ? "" : line))
		.join("\n");
}

function forbiddenAtTop(statement: Statement, trusted: Trusted): Forbidden | undefined {
	const { words, line, block } = statement;
	const [keyword = "", name = "", ...rest] = words;
	if (trusted.directives.has(keyword)) return undefined;
	if (keyword === "upstream" && block !== undefined && NAME.test(name) && rest.length === 0) {
		return first(block, (one) => forbiddenInUpstream(one, trusted));
	}
	if (keyword === "server" && block !== undefined && words.length === 1) {
		return first(block, (one) => forbiddenInUnavailable(one, trusted));
	}
	return {
		line,
		why: `"${shown(keyword)}" is no directive of a drop-in (where it is meant, name it in the proxy's allowDirectives)`,
	};
}

function forbiddenInUpstream({ words, line, block }: Statement, { directives, texts }: Trusted): Forbidden | undefined {
	const [keyword = "", ...rest] = words;
	if (directives.has(keyword)) return undefined;
	const refused = (why: string) => ({ line, why });
	if (block !== undefined) return refused(`"${shown(keyword)}" opens a block in an upstream`);
	if (keyword === "server") {
		const [address = "", ...options] = rest;
		if (texts.has(rest.join(" "))) return undefined;
		if (!isPlace(address) && !texts.has(address)) {
			return refused(`a server is at "${shown(address)}", which is no IP address`);
		}
		const wrong = withoutWords(options, texts).find((word) => !SERVER_WORD.test(word));
		return wrong === undefined ? undefined : refused(`"${shown(wrong)}" is no word of a drop-in's server`);
	}
	const pattern = Object.hasOwn(STATEMENTS, keyword) ? STATEMENTS[keyword] : undefined;
	if (pattern === undefined) {
		return refused(
			`"${shown(keyword)}" is no directive of an upstream (where it is meant, name it in the proxy's allowDirectives)`,
		);
	}
	const args = rest.map((word) => ` ${word}`).join("");
	return pattern.test(args)
		? undefined
		: refused(`"${shown(words.join(" "))}" has arguments that a drop-in may not have`);
}

/** The packaged template's own, and nothing that serves anything. */
function forbiddenInUnavailable({ words, line, block }: Statement, { texts }: Trusted): Forbidden | undefined {
	const text = words.join(" ");
	const isListen = words[0] === "listen" && texts.has(words.slice(1).join(" "));
	if (block === undefined && (isListen || text === "access_log off" || text === "return 503")) return undefined;
	return { line, why: `"${shown(text)}" is not what a server that answers 503 needs` };
}

/** Without the words that the configuration has for servers (`options.serverOptions`), the first time that they are there. */
function withoutWords(words: readonly string[], texts: ReadonlySet<string>): readonly string[] {
	const padded = ` ${words.join(" ")} `;
	for (const text of texts) {
		const at = padded.indexOf(` ${text} `);
		if (at < 0) continue;
		return `${padded.slice(0, at)} ${padded.slice(at + text.length + 2)}`.split(" ").filter((word) => word !== "");
	}
	return words;
}

function isPlace(address: string): boolean {
	const [, host = address, port = "80"] = /^(\[.*\]|[^:]*):(\d{1,5})$/.exec(address) ?? [];
	return parseIp(host.replace(/^\[(.*)\]$/, "$1")) !== undefined && Number(port) <= 65_535;
}

function first(
	statements: readonly Statement[],
	judge: (statement: Statement) => Forbidden | undefined,
): Forbidden | undefined {
	for (const statement of statements) {
		const found = judge(statement);
		if (found !== undefined) return found;
	}
	return undefined;
}

/** What is not plain enough to be sure that Nginx reads the same. */
class Unreadable extends Error {
	readonly line: number;
	constructor(line: number, message: string) {
		super(message);
		this.line = line;
	}
}

/** Blanks, and comments, which begin only where a word could. */
const SKIPPED = /(?:[ \t\n]|#[^\n]*)*/y;
/** A word up to what ends it; a quoted one without escapes, where a blank or the end of a statement follows. */
const WORD = /[^ \t\n;{}"'\\]+(?=[ \t\n;{}]|$)|"[^"\\\n]*"(?=[ \t\n;{])|'[^'\\\n]*'(?=[ \t\n;{])/y;

function tokens(text: string): Token[] {
	const found: Token[] = [];
	let line = 1;
	let at = 0;
	const skip = () => {
		SKIPPED.lastIndex = at;
		const [skipped = ""] = SKIPPED.exec(text) ?? [];
		line += skipped.split("\n").length - 1;
		at += skipped.length;
	};
	for (skip(); at < text.length; skip()) {
		const character = text[at] ?? "";
		if (";{}".includes(character)) {
			found.push({ kind: "punctuation", text: character, line });
			at += 1;
			continue;
		}
		WORD.lastIndex = at;
		const [word] = WORD.exec(text) ?? [];
		// Nginx takes `${name}` for one word.
		if (word === undefined || word.endsWith("$"))
			throw new Unreadable(line, "it has a quote, a backslash or ${ in a word");
		found.push({ kind: "word", text: word, line });
		at += word.length;
	}
	return found;
}

function parse(all: readonly Token[]): Statement[] {
	let at = 0;
	const last = all.at(-1)?.line ?? 1;
	const block = (isTop: boolean): Statement[] => {
		const statements: Statement[] = [];
		for (;;) {
			const words: string[] = [];
			const begin = all[at]?.line ?? last;
			for (let token = all[at]; token?.kind === "word"; token = all[at]) {
				words.push(token.text);
				at += 1;
			}
			const end = all[at]?.text;
			if (words.length === 0 && (isTop ? end === undefined : end === "}")) {
				at += 1;
				return statements;
			}
			if (words.length === 0 || (end !== ";" && end !== "{")) throw new Unreadable(begin, "a statement has no end");
			at += 1;
			statements.push(end === ";" ? { words, line: begin } : { words, line: begin, block: block(false) });
		}
	};
	return block(true);
}

/** For people: short, and with nothing that a terminal takes for a command. */
const shown = (text: string) => text.slice(0, 60).replace(/[^\x20-\x7e]/g, "?");
