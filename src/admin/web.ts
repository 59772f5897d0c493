/**
 * What a request to the port of the status page must not be: anything but a question, for another name than this host's
 * (a page of somebody else may have pointed its own name here), or a page of somebody else asking. Pure.
 */

import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { type HttpAddress, isLocalOnly } from "../config/http-address.js";
import { printable } from "../config/wording.js";
import { isLoopback, parseIp } from "../ip.js";

/** Where the page is served, and under which names others may ask for it. */
export interface WebPlace extends HttpAddress {
	/** This host's name in the configuration. */
	readonly host: string;
	/** `admin.hosts`: in lower case. */
	readonly hosts: readonly string[];
}

/** The answer to a request that is refused. */
export interface Refusal {
	readonly status: number;
	readonly body: { readonly error: string };
	readonly headers?: Readonly<Record<string, string>>;
}

/** @param at where it came in; undefined: nowhere any more */
export function refusalOf(
	{ method, headers }: Pick<IncomingMessage, "method" | "headers">,
	at: WebPlace | undefined,
): Refusal | undefined {
	if (at === undefined || !isOurs(headers.host ?? "", at)) {
		const given = headers.host === undefined ? "no host" : `the host ${printable(headers.host)}`;
		const how =
			at === undefined || isLocalOnly(at) ? "ask it as localhost" : "ask it by its IP address or by its hostname";
		const mend = `${how}, or list the name that it is asked by in admin.hosts of the configuration`;
		return { status: 403, body: { error: `the request names ${given}, which is not this one (${mend})` } };
	}
	if (method !== "GET") {
		const error = "only GET is answered here (what changes something goes to the control socket)";
		return { status: 405, body: { error }, headers: { allow: "GET" } };
	}
	const site = headers["sec-fetch-site"];
	// to follow a link to the page is fine
	const isFollowed = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
	if ((site === "cross-site" || site === "same-site") && !isFollowed) {
		return { status: 403, body: { error: "a page of another origin may not read this" } };
	}
	return undefined;
}

/** Whether the name in a request is one that nobody else can give to this host. */
function isOurs(given: string, at: WebPlace): boolean {
	const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*?)\.?)(?::\d+)?$/.exec(given) ?? [];
	const name = (bracketed ?? plain ?? "").toLowerCase();
	if (name === "localhost" || at.hosts.includes(name)) return true;
	const isLocal = isLocalOnly(at);
	const ip = parseIp(name);
	// an address is no name that could lead elsewhere
	if (ip !== undefined) return !isLocal || isLoopback(ip);
	return !isLocal && name !== "" && ownNames(at).includes(name);
}

/** As it is configured, and as the system has it; of a name with a domain also the first part. */
function ownNames({ host }: WebPlace): string[] {
	const names = [host, hostname()].map((name) => name.toLowerCase());
	return [...names, ...names.map((name) => name.replace(/\..*/, ""))];
}
