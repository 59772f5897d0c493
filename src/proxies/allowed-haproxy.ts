/**
 * Of HAProxy's language: sections `backend` with servers at IP addresses, how they are chosen, and how long is waited; and
 * sections `frontend` that route by host, at the addresses that the configuration has as `options.bind`. Pure. Not in the list, among others: everything of `global` (programs, Lua, the user that it runs as), `http-request` and its
 * kin, which can run Lua, and whatever names a file or a unix socket (`server x unix@/run/docker.sock` would put the
 * engine on the network).
 */

import { parseIp } from "../ip.js";
import type { Forbidden, Trusted } from "./allowed.js";

/** A condition of the packaged templates: the host of a request, or the end of it. */
const BY_HOST = String.raw`if \{ req\.hdr\(host\),host_only -i( -m end)? [A-Za-z0-9_.-]+ \}`;

/** Where the packaged templates listen unless the configuration says otherwise. */
const DEFAULT_BIND = "127.0.0.1:8080";

/** Directives of a frontend, and what their arguments may look like, each after a blank. */
const FRONTEND: Readonly<Record<string, RegExp>> = {
	mode: /^ (http|tcp)$/,
	use_backend: new RegExp(`^ [A-Za-z0-9_.:-]+ ${BY_HOST}$`),
	default_backend: /^ [A-Za-z0-9_.:-]+$/,
};

/** Directives of a backend, likewise. */
const BACKEND: Readonly<Record<string, RegExp>> = {
	mode: /^ (http|tcp)$/,
	balance: /^( [A-Za-z0-9_.(),-]+){1,4}$/,
	"hash-type": /^( [a-z0-9-]+){1,3}$/,
	"hash-balance-factor": /^ \d+$/,
	retries: /^ \d+$/,
	"retry-on": /^( [a-z0-9-]+)+$/,
	option:
		/^ (redispatch( -?\d+)?|abortonclose|allbackups|forwardfor|http-keep-alive|http-server-close|prefer-last-server|srvtcpka|tcp-check|httpchk( [A-Z]+)?( \/[A-Za-z0-9_.~/-]*)?)$/,
	timeout: /^ (connect|server|queue|check|tunnel|http-request|http-keep-alive|server-fin) \d+(us|ms|s|m|h|d)?$/,
	fullconn: /^ \d+$/,
	"http-reuse": /^ (never|safe|aggressive|always)$/,
	cookie: /^( [A-Za-z0-9_.-]+)+$/,
};

/** Words of a server's line, and what the one after them may look like, where there is one. */
const SERVER_WORDS: Readonly<Record<string, RegExp | undefined>> = {
	backup: undefined,
	check: undefined,
	disabled: undefined,
	enabled: undefined,
	"send-proxy": undefined,
	"send-proxy-v2": undefined,
	cookie: /^[A-Za-z0-9_.:-]+$/,
	"error-limit": /^\d+$/,
	fall: /^\d+$/,
	fastinter: /^\d+[a-z]*$/,
	downinter: /^\d+[a-z]*$/,
	inter: /^\d+[a-z]*$/,
	maxconn: /^\d+$/,
	maxqueue: /^\d+$/,
	minconn: /^\d+$/,
	observe: /^(layer4|layer7)$/,
	"on-error": /^[a-z-]+$/,
	"on-marked-down": /^shutdown-sessions$/,
	"on-marked-up": /^shutdown-backup-sessions$/,
	"pool-max-conn": /^-?\d+$/,
	"pool-purge-delay": /^\d+[a-z]*$/,
	rise: /^\d+$/,
	slowstart: /^\d+[a-z]*$/,
	weight: /^\d+$/,
};

const NAME = /^[A-Za-z0-9_.:-]+$/;

type Section = "backend" | "frontend";

/** The first line that may not be there. */
export function forbiddenInHaproxy(text: string, trusted: Trusted): Forbidden | undefined {
	let section: Section | undefined;
	for (const [index, raw] of text.split("\n").entries()) {
		const line = raw.trim();
		if (line === "" || line.startsWith("#")) continue;
		const why = forbidden(line, section, trusted);
		if (why !== undefined) return { line: index + 1, why };
		const [, opened] = /^(backend|frontend)[ \t]/.exec(line) ?? [];
		if (opened === "backend" || opened === "frontend") section = opened;
	}
	return undefined;
}

/** Why a line may not be there, as a clause. */
function forbidden(line: string, section: Section | undefined, { directives, texts }: Trusted): string | undefined {
	// As HAProxy takes them apart; a quote, a backslash or a comment makes a line one that no directive's pattern fits.
	const [keyword = "", ...words] = line.split(/[ \t]+/);
	if (directives.has(keyword)) return undefined;
	if (keyword === "backend" || keyword === "frontend") {
		return words.length === 1 && NAME.test(words[0] ?? "") ? undefined : `a ${keyword} needs a name, and nothing else`;
	}
	// What comes before the first section belongs to whatever section the file before this one ended with.
	if (section === undefined) return `"${shown(keyword)}" is outside of a backend`;
	if (texts.has(line)) return undefined;
	const rest = words.join(" ");
	if (section === "frontend" && keyword === "bind") {
		if (texts.has(rest) || rest === DEFAULT_BIND) return undefined;
		return `it binds to "${shown(rest)}", which the configuration has not as options.bind`;
	}
	if (section === "backend" && keyword === "server") return forbiddenServer(words, texts);
	if (section === "backend" && keyword === "default-server") return forbiddenWords(words);
	const known = section === "backend" ? BACKEND : FRONTEND;
	const pattern = Object.hasOwn(known, keyword) ? known[keyword] : undefined;
	if (pattern === undefined) {
		return `"${shown(keyword)}" is no directive of a drop-in's ${section} (where it is meant, name it in the proxy's allowDirectives)`;
	}
	return pattern.test(words.map((word) => ` ${word}`).join(""))
		? undefined
		: `"${shown(line)}" has arguments that a drop-in may not have`;
}

function forbiddenServer(words: readonly string[], texts: ReadonlySet<string>): string | undefined {
	const [name = "", address = "", ...options] = words;
	if (!NAME.test(name)) return `"${shown(name)}" is no name for a server`;
	const [, host = "", port = ""] = /^(.*):(\d{1,5})$/.exec(address) ?? [];
	if (parseIp(host.replace(/^\[(.*)\]$/, "$1")) === undefined || Number(port) > 65_535) {
		return `server ${name} is at "${shown(address)}", which is no IP address with a port`;
	}
	const why = forbiddenWords(options);
	if (why === undefined) return undefined;
	// What the configuration has for servers (`options.serverOptions`) stands between words that are whole by themselves.
	const rest = ` ${options.join(" ")} `;
	const isTrusted = [...texts].some((text) => {
		const at = rest.indexOf(` ${text} `);
		if (at < 0) return false;
		return [rest.slice(0, at), rest.slice(at + text.length + 1)].every(
			(part) => forbiddenWords(part.split(" ").filter((word) => word !== "")) === undefined,
		);
	});
	return isTrusted ? undefined : why;
}

function forbiddenWords(words: readonly string[]): string | undefined {
	for (let index = 0; index < words.length; index++) {
		const word = words[index] ?? "";
		if (!Object.hasOwn(SERVER_WORDS, word)) return `"${shown(word)}" is no word of a drop-in's server`;
		const pattern = SERVER_WORDS[word];
		if (pattern === undefined) continue;
		index++;
		if (!pattern.test(words[index] ?? "")) return `"${shown(`${word} ${words[index] ?? ""}`)}" can't be meant`;
	}
	return undefined;
}

/** For people: short, and with nothing that a terminal takes for a command. */
const shown = (text: string) => text.slice(0, 60).replace(/[^\x20-\x7e]/g, "?");
