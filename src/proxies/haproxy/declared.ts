/**
 * What a configuration file of HAProxy declares: its backends and their servers, read from the text. Works for templates
 * of users too, and knows as much of the language as that takes. Pure.
 */

import { backendId, placeOf } from "../../backends/backend.js";
import { formatIp, parseIp } from "../../ip.js";
import type { ServerAddress } from "../driver.js";

/** A server's line, in the parts that can be changed at run time and the rest. */
export interface DeclaredServer {
	/** `address:port` in canonical text, as a backend's id; undefined where the file has a name there. */
	readonly address: string | undefined;
	/** Undefined where the line has none; HAProxy then takes 1. */
	readonly weight: number | undefined;
	readonly disabled: boolean;
	/** All other words of the line, each after a blank. */
	readonly options: string;
	/** Its line in the file, from 0. */
	readonly line: number;
}

/** By backend, then by server. */
export type Declared = ReadonlyMap<string, ReadonlyMap<string, DeclaredServer>>;

export interface DeclaredFile {
	readonly backends: Declared;
	readonly lines: readonly string[];
	/** All lines but those of servers: a difference there takes a reload. */
	readonly frame: string;
}

/** The words that begin a section (HAProxy 2.x and 3.x); within others, `server` means something else. */
const SECTIONS = new Set([
	"acme",
	"backend",
	"cache",
	"crt-store",
	"defaults",
	"fcgi-app",
	"frontend",
	"global",
	"http-errors",
	"listen",
	"log-forward",
	"log-profile",
	"mailers",
	"peers",
	"program",
	"resolvers",
	"ring",
	"traces",
	"userlist",
]);

/** Reads a file. Whatever it does not understand it leaves out: the proxy's own check judges the file. */
export function parseDeclared(text: string): DeclaredFile {
	const backends = new Map<string, Map<string, DeclaredServer>>();
	const frame: string[] = [];
	let servers: Map<string, DeclaredServer> | undefined;
	const lines = text.split("\n");
	for (const [at, line] of lines.entries()) {
		const [keyword = "", name, address, ...rest] = words(line);
		if (SECTIONS.has(keyword)) {
			servers = undefined;
			if ((keyword === "backend" || keyword === "listen") && name !== undefined) {
				servers = new Map();
				backends.set(name, servers);
			}
		} else if (keyword === "server" && servers !== undefined && name !== undefined && address !== undefined) {
			servers.set(name, { address: canonicalAddress(address), ...serverOptions(rest), line: at });
			continue;
		}
		frame.push(line);
	}
	return { backends, lines, frame: frame.join("\n") };
}

/** A file of HAProxy's with each server disabled; addresses stay, so that whoever comes back is known. */
export function withoutServers(text: string): string {
	const { backends, lines } = parseDeclared(text);
	const enabled = new Set(
		[...backends.values()].flatMap((servers) =>
			[...servers.values()].flatMap(({ disabled, line }) => (disabled ? [] : [line])),
		),
	);
	return lines.map((line, at) => (enabled.has(at) ? `${line.trimEnd()} disabled` : line)).join("\n");
}

function serverOptions(words: readonly string[]): Omit<DeclaredServer, "address" | "line"> {
	let weight: number | undefined;
	let disabled = false;
	let options = "";
	for (let index = 0; index < words.length; index++) {
		const word = words[index] ?? "";
		if (word === "weight") weight = Number(words[++index]);
		else if (word === "disabled" || word === "enabled") disabled = word === "disabled";
		else options += ` ${word}`;
	}
	return { weight, disabled, options };
}

/** The enabled servers that have an IP address, by the backend as their service. */
export function declaredAddresses(declared: Declared): ServerAddress[] {
	return [...declared].flatMap(([service, servers]) =>
		[...servers.values()].flatMap(({ address, disabled }) => {
			const place = disabled || address === undefined ? undefined : placeOf(address);
			return place === undefined ? [] : [{ service, ...place }];
		}),
	);
}

/** `10.0.0.1:80` or `fd00::1:80` of an address as it is written; undefined for a host name, a path, or without a port. */
function canonicalAddress(address: string): string | undefined {
	const [, host = "", port] = /^(?:ipv[46]@)?(.*):(\d{1,5})$/.exec(address) ?? [];
	const ip = parseIp(host.replace(/^\[(.*)\]$/, "$1"));
	return ip === undefined || port === undefined ? undefined : backendId(formatIp(ip), Number(port));
}

/** The words of a line: separated by blanks, with quotes, backslashes and comments as HAProxy reads them. */
function words(line: string): string[] {
	// Nearly all lines; there may be ten thousand.
	if (!/["'\\#]/.test(line)) return line.split(/\s+/).filter((word) => word !== "");
	const found: string[] = [];
	let word: string | undefined;
	let quote = "";
	for (let index = 0; index < line.length; index++) {
		const character = line[index] ?? "";
		if (character === "\\" && quote !== "'") {
			index++;
			word = (word ?? "") + (line[index] ?? "");
		} else if (quote !== "") {
			if (character === quote) quote = "";
			else word = (word ?? "") + character;
		} else if (character === '"' || character === "'") {
			quote = character;
			word ??= "";
		} else if (character === "#") {
			break;
		} else if (/\s/.test(character)) {
			if (word !== undefined) found.push(word);
			word = undefined;
		} else {
			word = (word ?? "") + character;
		}
	}
	if (word !== undefined) found.push(word);
	return found;
}
