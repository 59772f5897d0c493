/**
 * Whether a listener belongs to a service: a match of the configuration, compiled once, against identities. Pure; knows
 * nothing of other services, nor of addresses.
 */

import type { MatchConfig } from "../config/schema.js";
import type { ContainerLookup } from "../identity/container.js";
import { compileGlob } from "./glob.js";
import { containerFits } from "./match-container.js";
import { type Candidate, HOST } from "./proxy-netns.js";

/** The outcome, and where it failed: the key of the match, and a clause that a person can read. */
export type MatchResult =
	| { readonly matched: true }
	/** `pending`: it can't be told yet; look again. */
	| { readonly matched: false; readonly key: MatchKey; readonly why: string; readonly pending: boolean };

export type MatchKey = keyof MatchConfig;

/** @param container what an engine says of the container that it is in; undefined when it is in none, or none is asked */
export type Matcher = (
	listener: { readonly port: number },
	who: Candidate,
	container?: ContainerLookup | undefined,
) => MatchResult;

/** One key of a match: why a listener fails it, or undefined when it does not. */
type Test = (port: number, who: Candidate) => string | undefined;

const NAME_KEYS = ["hostname", "comm", "unit", "cgroup", "pod", "machine"] as const;

/**
 * The matcher of a service: cheap to ask for every listener. All keys must hold; a list means any of.
 * @param proxyAt where the listener's program runs, as a phrase, when it is a proxy and no application
 */
export function compileMatch(match: MatchConfig, proxyAt: (who: Candidate) => string | undefined): Matcher {
	const tests: [MatchKey, Test][] = [["netns", hostIsWanted(match)]];
	if (match.comm === undefined) tests.push(["comm", notAProxy(proxyAt)]);
	if (match.port !== undefined) tests.push(["port", portIsOneOf(match.port)]);
	for (const key of NAME_KEYS) {
		const globs = match[key];
		if (globs !== undefined) tests.push([key, nameMatches(key, globs)]);
	}
	if (match.netns !== undefined) tests.push(["netns", netnsIsOneOf(match.netns)]);
	const fits = match.container && containerFits(match.container);
	return ({ port }, who, container) => {
		for (const [key, test] of tests) {
			const why = test(port, who);
			if (why !== undefined) return { matched: false, key, why, pending: false };
		}
		// last, so that nobody waits for an engine that would not be a match anyway
		const misfit = fits?.(container);
		return misfit === undefined ? { matched: true } : { matched: false, key: "container", ...misfit };
	};
}

/** Host-namespace listeners are ignored unless the service asks for them by name or number: a glob does not. */
function hostIsWanted({ netns = [] }: MatchConfig): Test {
	return (_port, who) => {
		if (!who.isHost || netns.includes(HOST) || netns.includes(who.netnsInode)) return undefined;
		return 'it is in the host\'s network namespace (only a service with "netns: host" takes it)';
	};
}

function notAProxy(proxyAt: (who: Candidate) => string | undefined): Test {
	return (_port, who) => {
		const at = proxyAt(who);
		if (at === undefined) return undefined;
		return `${who.comm} ${at} is a proxy itself (a service that means it names it as comm)`;
	};
}

function portIsOneOf(ranges: NonNullable<MatchConfig["port"]>): Test {
	const wanted = ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
	return (port) =>
		ranges.some(({ from, to }) => from <= port && port <= to) ? undefined : `port ${port} is not in ${wanted}`;
}

function nameMatches(key: (typeof NAME_KEYS)[number], globs: readonly string[]): Test {
	const accepting = globs.map(compileGlob);
	const wanted = globs.join(", ");
	return (_port, who) => {
		const name = who[key];
		if (name === undefined || name === "") return `it has no known ${key} (wanted: ${wanted})`;
		return accepting.some((accepts) => accepts(name)) ? undefined : `${key} ${name} does not match ${wanted}`;
	};
}

function netnsIsOneOf(netns: NonNullable<MatchConfig["netns"]>): Test {
	const inodes = new Set(netns.filter((entry) => typeof entry === "number"));
	const accepting = netns.filter((entry) => typeof entry === "string").map(compileGlob);
	const wanted = netns.join(", ");
	return (_port, { isHost, netnsInode, netnsName }) => {
		// The host's was asked for, or else it would not have come this far.
		if (isHost || inodes.has(netnsInode)) return undefined;
		if (netnsName === undefined) return `netns ${netnsInode} has no name (wanted: ${wanted})`;
		return accepting.some((accepts) => accepts(netnsName))
			? undefined
			: `netns ${netnsName} (${netnsInode}) does not match ${wanted}`;
	};
}
