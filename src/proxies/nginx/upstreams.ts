/**
 * The upstreams of an Nginx configuration and their servers, read from the text. Works for templates of users too, and
 * knows as much of the language as that takes. Pure.
 */

import { backendId } from "../../backends/backend.js";
import { formatIp, parseIp } from "../../ip.js";
import type { ServerAddress, ServerDiff } from "../driver.js";

/** By upstream: its servers that take traffic, by their id as a backend: `10.0.0.1:80`, `fd00::1:80`. */
export type Upstreams = ReadonlyMap<string, ReadonlyMap<string, ServerAddress>>;

/** Comments and blanks, then what ends a directive or begins a block, then words: quoted, or up to one of those. */
const TOKENS = /#[^\n]*|\s+|[;{}]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s;{}"'#][^\s;{}]*|./gs;

/**
 * Reads a file. Left out are servers that are `down`, that have a host name or a path, and those on which the file itself
 * listens: what stands in for an empty service. Whatever else it does not understand is for Nginx's own check.
 */
export function parseUpstreams(text: string): Upstreams {
	const { upstreams, servers } = readServers(text);
	for (const { server } of servers) upstreams.get(server.service)?.set(idOf(server), server);
	return upstreams;
}

/** The same text with each of these servers `down`. */
export function withoutUpstreamServers(text: string): string {
	let rest = text;
	for (const { end } of readServers(text).servers.toReversed()) rest = `${rest.slice(0, end)} down${rest.slice(end)}`;
	return rest;
}

interface Read {
	/** The upstreams, still without their servers. */
	readonly upstreams: Map<string, Map<string, ServerAddress>>;
	/** In the order of the file, each with the place of the semicolon at its end. */
	readonly servers: readonly { readonly server: ServerAddress; readonly end: number }[];
}

function readServers(text: string): Read {
	const upstreams = new Map<string, Map<string, ServerAddress>>();
	const servers: { readonly server: ServerAddress; readonly end: number }[] = [];
	const listens = new Set<string>();
	const blocks: (readonly string[])[] = [];
	for (const { words, ends, at } of statements(text)) {
		const [keyword, first = ""] = words;
		const [block, name = ""] = blocks.at(-1) ?? [];
		if (ends === ";" && keyword === "server" && block === "upstream" && !words.includes("down")) {
			const server = serverAddress(name, first);
			if (server !== undefined) servers.push({ server, end: at });
		} else if (ends === ";" && keyword === "listen") {
			const own = serverAddress("", first);
			if (own !== undefined) listens.add(idOf(own));
		} else if (ends === "{") {
			if (keyword === "upstream" && !upstreams.has(first)) upstreams.set(first, new Map());
			blocks.push(words);
		} else if (ends === "}") {
			blocks.pop();
		}
	}
	return { upstreams, servers: servers.filter(({ server }) => !listens.has(idOf(server))) };
}

/** All servers. */
export function upstreamServers(upstreams: Upstreams): ServerAddress[] {
	return [...upstreams.values()].flatMap((servers) => [...servers.values()]);
}

/** From one file to another, as `upstream/address:port`, sorted. */
export function diffUpstreams(before: Upstreams, after: Upstreams): ServerDiff {
	return { joined: missing(after, before), left: missing(before, after) };
}

function missing(from: Upstreams, other: Upstreams): string[] {
	return [...from]
		.flatMap(([upstream, servers]) =>
			[...servers.keys()]
				.filter((server) => !other.get(upstream)?.has(server))
				.map((server) => `${upstream}/${server}`),
		)
		.sort();
}

interface Statement {
	readonly words: readonly string[];
	readonly ends: ";" | "{" | "}";
	/** Where that is in the text. */
	readonly at: number;
}

function* statements(text: string): Generator<Statement> {
	let words: string[] = [];
	for (const { 0: token, index: at } of text.matchAll(TOKENS)) {
		if (token === ";" || token === "{" || token === "}") {
			yield { words, ends: token, at };
			words = [];
		} else if (!/^[\s#]/.test(token)) {
			words.push(/^["']/.test(token) && token.length > 1 ? token.slice(1, -1).replace(/\\(.)/gs, "$1") : token);
		}
	}
}

/** Without a port it is 80. Undefined for a host name or a path. */
function serverAddress(service: string, written: string): ServerAddress | undefined {
	const [, inBrackets, plain = "", port = "80"] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(written) ?? [];
	const ip = parseIp(inBrackets ?? plain);
	return ip === undefined ? undefined : { service, address: formatIp(ip), port: Number(port) };
}

const idOf = ({ address, port }: ServerAddress) => backendId(address, port);
