/**
 * What a configuration file of HAProxy declares: its backends and their servers, read from the text. Works for templates
 * of users too, and knows as much of the language as that takes. Pure.
 */

import { formatIp, parseIp } from "../../ip.js";
import type { ServerAddress } from "../driver.js";

/** By backend, then by server: its `address:port` in canonical text, or undefined where the file has a name there. */
export type Declared = ReadonlyMap<string, ReadonlyMap<string, string | undefined>>;

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
export function parseDeclared(text: string): Declared {
	const backends = new Map<string, Map<string, string | undefined>>();
	let servers: Map<string, string | undefined> | undefined;
	for (const line of text.split("\n")) {
		const [keyword = "", name, address] = words(line);
		if (SECTIONS.has(keyword)) {
			servers = undefined;
			if ((keyword === "backend" || keyword === "listen") && name !== undefined) {
				servers = new Map();
				backends.set(name, servers);
			}
		} else if (keyword === "server" && name !== undefined && address !== undefined) {
			servers?.set(name, canonicalAddress(address));
		}
	}
	return backends;
}

/** The servers that have an IP address, by the backend as their service. */
export function declaredAddresses(declared: Declared): ServerAddress[] {
	return [...declared].flatMap(([service, servers]) =>
		[...servers.values()].flatMap((address) => {
			const colon = address?.lastIndexOf(":") ?? -1;
			if (address === undefined || colon === -1) return [];
			return { service, address: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
		}),
	);
}

/** `10.0.0.1:80` or `fd00::1:80` of an address as it is written; undefined for a host name, a path, or without a port. */
function canonicalAddress(address: string): string | undefined {
	const [, host = "", port] = /^(?:ipv[46]@)?(.*):(\d{1,5})$/.exec(address) ?? [];
	const ip = parseIp(host.replace(/^\[(.*)\]$/, "$1"));
	return ip === undefined || port === undefined ? undefined : `${formatIp(ip)}:${Number(port)}`;
}

/** How addresses are compared. */
export function hostPort(address: string, port: number): string {
	const ip = parseIp(address);
	return `${ip === undefined ? address : formatIp(ip)}:${port}`;
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
