/** A router's rule, as far as it names hosts: the one matcher that a service's `hosts` can stand for. Pure. */

import { isHost, MAX_HOSTS } from "./values.js";

/** One or several hosts, each in backticks or quotes: ``Host(`a`)``, and of Traefik 2 ``Host(`a`, `b`)``. */
const MATCHER = /^\s*Host\s*\(\s*((?:`[^`]*`|"[^"]*")(?:\s*,\s*(?:`[^`]*`|"[^"]*"))*)\s*\)\s*$/i;

/** Traefik 1: `Host:a,b`. */
const OLD_MATCHER = /^\s*Host\s*:([^;:]*)$/i;

/** The hosts of a rule, in lower case; undefined when it says anything else than which hosts, or no usable ones. */
export function hostsOfRule(rule: string): readonly string[] | undefined {
	const old = OLD_MATCHER.exec(rule)?.[1];
	const hosts = old === undefined ? quoted(rule) : old.split(",").map((host) => host.trim());
	const distinct = [...new Set(hosts?.map((host) => host.toLowerCase()))];
	return distinct.length > 0 && distinct.length <= MAX_HOSTS && distinct.every(isHost) ? distinct : undefined;
}

function quoted(rule: string): readonly string[] | undefined {
	const hosts: string[] = [];
	// No host has a `|` in it, so that a rule may be taken apart before its quotes are looked at.
	for (const part of rule.split("||")) {
		const list = MATCHER.exec(part)?.[1];
		if (list === undefined) return undefined;
		for (const [, backticked, doubled] of list.matchAll(/`([^`]*)`|"([^"]*)"/g))
			hosts.push(backticked ?? doubled ?? "");
	}
	return hosts;
}
