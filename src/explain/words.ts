/** Changes and verdicts in words, for people. Pure; knows nothing of where they are shown. */

import { constants } from "node:os";
import type { ChangeView } from "../admin/explain-view.js";
import type { Verdict } from "../backends/judge.js";
import type { Addresses } from "../identity/identity.js";
import { sanitize } from "../identity/sanitize.js";
import type { Change, Sockets } from "./history.js";
import { stateText } from "./steps.js";

/** @param toIso a time of the pipeline's clock as a date */
export function changeView(change: Change, toIso: (ms: number) => string): ChangeView {
	const { kind } = change;
	return {
		at: toIso(change.atMs),
		change: kind,
		...(kind === "backend" && { backend: `${change.service}/${change.id}` }),
		text: textOf(change),
	};
}

function textOf(change: Change): string {
	switch (change.kind) {
		case "listened":
			return ["it listens: ", socketsText(change), ...whatFollowed(change)].join("");
		case "sockets":
			return `now ${socketsText(change)}`;
		case "closed":
			return change.how === "event" ? "it closed" : "it is gone: the kernel's table no longer has it";
		case "verdict":
			return `${verdictText(change.to)} (was ${change.from.state === "in" ? verdictText(change.from) : change.from.state})`;
		case "addresses":
			return `its addresses are ${addressesText(change.to)} (were ${addressesText(change.from)})`;
		case "container":
			return change.to.state === "waiting"
				? `its container is not known: ${change.to.why}`
				: `its container is ${sanitize(change.to.container.name)}, of image ${sanitize(change.to.container.image)}`;
		case "stopping":
			return `told to stop by ${signalName(change.signal)}`;
		case "paused":
			return change.by === "freezer" ? "paused: its cgroup was frozen" : "paused: stopped by a signal";
		case "resumed":
			return "it runs again";
		case "hung":
			return `hung: it accepts none of ${change.queued} connections`;
		case "accepting":
			return "it accepts connections again";
		case "backend":
			return change.state === "gone" ? "left the pool" : `${stateText(change)}: ${change.reason}`;
		default:
			return change satisfies never;
	}
}

function socketsText({ pid, comm, backlog, count }: Sockets): string {
	const sockets = count === 1 ? "" : `, ${count} sockets`;
	return `pid ${pid} ${sanitize(comm)}, backlog ${backlog}${sockets}`;
}

/** Where it is plainly in a pool, the pool has a line of its own. */
function whatFollowed({ verdict, isUnmatched }: Extract<Change, { kind: "listened" }>): string[] {
	if (isUnmatched) return ["; no service's rule matches it"];
	return verdict === undefined ? [] : ["; ", verdictText(verdict)];
}

/** A verdict in a few words. */
export function verdictText(verdict: Verdict): string {
	if (verdict.state !== "in") return `${verdict.state}: ${verdict.why}`;
	const places = verdict.places.map(({ service, backend, state, why }) => {
		const remark = state === undefined ? "" : ` (${state}: ${why})`;
		return `${service} as ${backend}${remark}`;
	});
	return `in ${places.join(", ")}`;
}

function addressesText(addresses: Addresses): string {
	if (addresses.state === "unknown") return `not known: ${addresses.why}`;
	const all = [...addresses.ipv4, ...addresses.ipv6];
	return all.length === 0 ? "none" : all.join(", ");
}

function signalName(number: number): string {
	return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}
