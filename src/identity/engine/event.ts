/**
 * What a line of an engine's `/events` says, as far as it matters here. Pure.
 *
 * Seen with Docker 20.10: `create`, network `connect`, then `start`, some milliseconds after the container's first process
 * runs; each of the container's has its labels as attributes, beside `name` and `image`. Podman 4.3 tells in batches, a
 * quarter of a second late, calls `destroy` `remove`, and puts the container's id where Docker has the network's.
 */

import { z } from "zod";
import { containerId, readLabels } from "./answers.js";

/** What an event tells of the container itself; its labels may lack some of a name that events use themselves. */
export interface Attributes {
	readonly name: string;
	readonly image: string;
	readonly labels: ReadonlyMap<string, string>;
}

export type EngineEvent = { readonly id: string /** By the engine's clock. */; readonly atMs: number } & (
	| { readonly kind: "created" | "started"; readonly attributes: Attributes }
	| { readonly kind: "ended" | "removed" | "renamed" | "moved" }
);

/** Asked for by name: each health check makes three others. Docker and Podman name some differently. */
export const EVENT_FILTERS = {
	type: ["container", "network"],
	event: ["create", "start", "die", "died", "stop", "destroy", "remove", "rename", "connect", "disconnect"],
};

/** Attributes that are no labels; see `Attributes`. */
const OWN_ATTRIBUTES = new Set(["name", "image", "exitCode", "containerExitCode", "podId"]);

const event = z.object({
	Type: z.string(),
	Action: z.string(),
	Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.unknown()).catch({}) }),
	timeNano: z.number().catch(0),
});

/** Undefined for what does not matter here; `unreadable` for what is no event at all. */
export function readEvent(line: string): EngineEvent | undefined | "unreadable" {
	let json: unknown;
	try {
		json = JSON.parse(line);
	} catch {
		return "unreadable";
	}
	const { data } = event.safeParse(json);
	if (data === undefined) return "unreadable";
	const { Type, Action, Actor } = data;
	const concerns = Type === "network" ? (Actor.Attributes["container"] ?? Actor.ID) : Actor.ID;
	const { data: id } = containerId.safeParse(concerns);
	if (id === undefined) return undefined;
	const about = { id, atMs: data.timeNano / 1e6 };
	if (Type === "network") {
		return Action === "connect" || Action === "disconnect" ? { ...about, kind: "moved" } : undefined;
	}
	if (Type !== "container") return undefined;
	switch (Action) {
		case "create":
			return { ...about, kind: "created", attributes: readAttributes(Actor.Attributes) };
		case "start":
			return { ...about, kind: "started", attributes: readAttributes(Actor.Attributes) };
		case "die":
		case "died":
		case "stop":
			return { ...about, kind: "ended" };
		case "destroy":
		case "remove":
			return { ...about, kind: "removed" };
		case "rename":
			return { ...about, kind: "renamed" };
		default:
			return undefined;
	}
}

function readAttributes(attributes: Readonly<Record<string, unknown>>): Attributes {
	const labels = readLabels(Object.entries(attributes).filter(([key]) => !OWN_ATTRIBUTES.has(key)));
	const { name, image } = attributes;
	return { name: typeof name === "string" ? name : "", image: typeof image === "string" ? image : "", labels };
}
