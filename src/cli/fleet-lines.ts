/** The fleet as lines for a person: one for `status`, all of it for `status --fleet`. Pure but for colour. */

import type { FleetView, HostView, PublishingView, RegistryView } from "../admin/fleet-view.js";
import { printable } from "../config/wording.js";
import { span } from "../span.js";
import { counted } from "./explain-words.js";
import { type Cell, colour, table } from "./output.js";

/** Longest text of others that is shown, in characters. */
const MAX_WHY = 2000;

export const remoteBackends = ({ hosts }: FleetView): number => hosts.reduce((sum, { backends }) => sum + backends, 0);

/** What must not be overlooked in a coloured line of its own, all else in one. */
export function fleetSummary(fleet: FleetView, nowMs: number): string[] {
	const { cluster, hosts, offers, draining, publishing } = fleet;
	const told = publishing.state === "off" ? "this one tells of none" : `this one tells of ${offers}`;
	const others = `${counted(hosts.length, "other host", "other hosts")} with ${backends(remoteBackends(fleet))}`;
	return [
		`fleet ${cluster}: ${others}; ${told}`,
		...registryLines(fleet.registry, nowMs),
		...publishingLines(publishing, nowMs),
		...(draining ? [colour("yellow", "this host is drained: others send it no new work (drain-host --undo)")] : []),
	];
}

export function fleetLines(fleet: FleetView, nowMs: number): string[] {
	const { host, zone, hosts, rejected, lastRejected, publishMs, wholeReads, gaps } = fleet;
	const [summary = "", ...troubles] = fleetSummary(fleet, nowMs);
	const [head = "", ...rows] = table(
		["HOST", "ZONE", "STATE", ...["LEASE LEFT", "LAG", "SEQUENCE"].map(right), "VERSION", right("BACKENDS")],
		hosts.map(hostRow),
	);
	const last = publishMs.at(-1);
	return [
		`${host}${zone === undefined ? "" : ` in zone ${zone}`}, ${summary}`,
		...(fleet.registry.state === "up" ? [`the registry is up${tellsOf(fleet.publishing, last)}`] : []),
		...troubles,
		"",
		...(hosts.length === 0 ? ["no other host is known"] : [colour("bold", head), ...rows]),
		"",
		`since the start: ${counted(wholeReads, "host", "hosts")} read in full, ${counted(gaps, "gap", "gaps")} in what was told`,
		...(rejected === 0
			? []
			: [colour("yellow", `${rejected} of others' values rejected, the last one: ${plain(lastRejected ?? "-")}`)]),
	];
}

/** The names of hosts and zones are checked by whoever reads them; all else may hold anything. */
const plain = (text: string) => printable(text, MAX_WHY);

const backends = (count: number) => counted(count, "backend", "backends");

const right = (title: string) => ({ title, align: "right" as const });

function hostRow({ host, zone, state, leaseLeftMs, lagMs, sequence, version, backends: count }: HostView): Cell[] {
	return [
		host,
		zone ?? "-",
		{ text: state, colour: HOST_COLOURS[state] },
		leaseLeftMs === undefined ? "-" : leaseLeftMs <= 0 ? { text: "over", colour: "yellow" } : seconds(leaseLeftMs),
		lagMs === undefined ? "-" : `${lagMs.toFixed(1)} ms`,
		String(sequence),
		version,
		String(count),
	];
}

const HOST_COLOURS = { live: "green", draining: "yellow", doubtful: "red" } as const;

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function tellsOf(publishing: PublishingView, lastMs: number | undefined): string {
	if (publishing.state !== "current") return "";
	const took = lastMs === undefined ? "" : `, the last one within ${lastMs.toFixed(1)} ms`;
	return ` and has all that this host tells: change ${publishing.sequence} of incarnation ${publishing.incarnation}${took}`;
}

function registryLines(registry: RegistryView, nowMs: number): string[] {
	if (registry.state === "up") return [];
	const since = span(nowMs - Date.parse(registry.since));
	const stays = "backends of other hosts stay as they are";
	return [colour("red", `the registry is out of reach for ${since}, ${stays}: ${plain(registry.why)}`)];
}

function publishingLines(publishing: PublishingView, nowMs: number): string[] {
	switch (publishing.state) {
		case "off":
		case "current":
			return [];
		case "behind": {
			const since = span(nowMs - Date.parse(publishing.since));
			return [colour("yellow", `what changed here waits to be told for ${since}: ${plain(publishing.why)}`)];
		}
		case "refused":
			return [colour("red", `others are told nothing of this host: ${plain(publishing.why)}`)];
		default:
			return publishing satisfies never;
	}
}
