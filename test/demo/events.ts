/** The lines of the daemon's log that the demo shows, as typed values. Knows nothing of how they are shown. */

import { z } from "zod";
import type { LogLine } from "../host/daemon.js";

const socket = {
	address: z.string(),
	port: z.number(),
	pid: z.number(),
	comm: z.string(),
	netns: z.union([z.string(), z.number()]),
};

const event = z.discriminatedUnion("msg", [
	z.object({ msg: z.literal("listening"), time: z.iso.datetime(), ...socket }),
	z.object({ msg: z.literal("closed"), time: z.iso.datetime(), ...socket }),
	z.object({
		msg: z.literal("applied"),
		time: z.iso.datetime(),
		/** `service/address:port`. */
		joined: z.array(z.string()),
		left: z.array(z.string()),
		stagesMs: z.record(z.string(), z.number()),
		totalMs: z.number(),
		/** From the kernel's event to the end; absent when no single event led to it. */
		sinceKernelMs: z.number().optional(),
	}),
	z.looseObject({ msg: z.literal("not applied"), time: z.iso.datetime() }),
]);

export type DemoEvent = z.output<typeof event>;
export type Applied = Extract<DemoEvent, { msg: "applied" }>;

/** The event of a line of the log; undefined for all other lines. */
export function eventOf(line: LogLine): DemoEvent | undefined {
	return event.safeParse(line).data;
}

/** A change of the proxy that brought (or took) a backend, written `service/address:port`. */
export function appliedWith(line: LogLine, list: "joined" | "left", backend: string): Applied | undefined {
	const found = eventOf(line);
	return found?.msg === "applied" && found[list].includes(backend) ? found : undefined;
}

/** How long a change took, from the kernel's event on where that is known. */
export const tookMs = ({ sinceKernelMs, totalMs }: Applied): number => Math.round(sinceKernelMs ?? totalMs);

/** When the kernel announced what led to a change, in milliseconds since the epoch. */
export const kernelTimeMs = (applied: Applied): number => Date.parse(applied.time) - tookMs(applied);
