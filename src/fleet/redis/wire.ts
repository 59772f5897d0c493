/**
 * The JSON that hosts leave in Redis, both ways. Whoever may write there may write anything: what is read is checked value
 * by value, and what does not fit is left out with a reason. Nothing that a proxy's configuration could misread passes.
 */

import { z } from "zod";
import { DNS_NAME, LONGEST_MS, NAME } from "../../config/rules.js";
import { formatIp, type Ip, isLinkLocal, isLoopback, isUnspecified, parseIp } from "../../ip.js";
import { type Offer, type OfferKey, offeredIdentity, type TakenWhy } from "../offer.js";
import { WIRE_VERSION } from "./keys.js";
import type { SameText } from "./texts.js";

/** Longest value that is looked at, in characters; an honest one has a few hundred. */
export const LONGEST_OFFER = 4096;
export const LONGEST_ABOUT = 262_144;

const SAFE = /^[A-Za-z0-9_.:@/-]*$/;
const LONGEST_SAFE = 256;
const safe = z.string().max(LONGEST_SAFE).regex(SAFE);

const name = z.string().regex(NAME);

const identityRecord = z.object({
	comm: safe,
	hostname: safe,
	unit: safe.exactOptional(),
	container: safe.exactOptional(),
	pod: safe.exactOptional(),
	machine: safe.exactOptional(),
	containerName: safe.exactOptional(),
	image: safe.exactOptional(),
});

const offerRecord = z.object({
	v: z.literal(WIRE_VERSION),
	weight: z.int().min(0).max(256),
	told: z.object({ signal: z.string().regex(/^SIG[A-Z0-9]{2,10}$/), atNs: z.number() }).exactOptional(),
	stuck: z
		.discriminatedUnion("kind", [
			z.object({ kind: z.literal("paused"), by: z.enum(["freezer", "signal"]), pid: z.int() }),
			z.object({ kind: z.literal("hung"), pid: z.int(), queued: z.int(), backlog: z.int() }),
		])
		.exactOptional(),
	held: z.enum(["drain", "down"]).exactOptional(),
	identity: identityRecord,
});

const serviceRecord = z.object({
	name,
	mode: z.enum(["http", "tcp"]),
	hosts: z.array(z.string().max(253).regex(DNS_NAME)).max(64),
	drainTimeout: z.number().min(0).max(LONGEST_MS),
});

/** What a host says of itself. */
const aboutRecord = z.object({
	v: z.literal(WIRE_VERSION),
	version: safe,
	zone: name.exactOptional(),
	lease: z.number().min(1000).max(LONGEST_MS),
	draining: z.boolean(),
	services: z.array(serviceRecord).max(1024),
});

export type About = Omit<z.output<typeof aboutRecord>, "v">;

const deltaRecord = z.object({
	v: z.literal(WIRE_VERSION),
	put: z.record(z.string(), z.string()),
	taken: z.record(z.string(), z.enum(["closed", "withdrawn"])),
});

/** A value, or why it can't be used, as a clause. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export const writeOffer = ({ weight, told, stuck, held, identity }: Offer): string =>
	JSON.stringify({ v: WIRE_VERSION, weight, told, stuck, held, identity: { ...identity, netnsInode: undefined } });

/** What of an identity many have in common. */
const SHARED = ["comm", "unit", "image"] as const;

/** @param sameText for what many offers have in common */
export function readOffer(key: string, text: string, sameText: SameText = (same) => same): Read<Offer> {
	const place = placeIn(key);
	if (place === undefined) return { ok: false, why: "its key is not SERVICE|ADDRESS:PORT with an address of a host" };
	const read = parse(offerRecord, text, LONGEST_OFFER, isPlainOffer);
	if (!read.ok) return read;
	const { weight, told, stuck, held, identity } = read.value;
	for (const name of SHARED) {
		const said = identity[name];
		if (said !== undefined) identity[name] = sameText(said);
	}
	// Written out: what the rest of an object is copied into is of a shape of its own each time, and there are many of these.
	const value: Offer = {
		service: sameText(place.service),
		address: sameText(place.address),
		port: place.port,
		weight,
		...(told !== undefined && { told }),
		...(stuck !== undefined && { stuck }),
		...(held !== undefined && { held }),
		identity: offeredIdentity(identity),
	};
	return { ok: true, value };
}

export const writeAbout = (about: About): string => JSON.stringify({ v: WIRE_VERSION, ...about });

export function readAbout(text: string): Read<About> {
	const read = parse(aboutRecord, text, LONGEST_ABOUT);
	return read.ok ? { ok: true, value: read.value } : read;
}

/** @param put the text of each offer, as `writeOffer` makes it */
export const writeDelta = (put: ReadonlyMap<OfferKey, string>, taken: ReadonlyMap<OfferKey, TakenWhy>): string =>
	JSON.stringify({ v: WIRE_VERSION, put: Object.fromEntries(put), taken: Object.fromEntries(taken) });

/** The changes of an entry: the offers are still text, each to be read by itself. */
export interface Delta {
	readonly put: ReadonlyMap<OfferKey, string>;
	readonly taken: ReadonlyMap<OfferKey, TakenWhy>;
}

export function readDelta(text: string, longest: number): Read<Delta> {
	const read = parse(deltaRecord, text, longest);
	if (!read.ok) return read;
	const { put, taken } = read.value;
	return { ok: true, value: { put: new Map(Object.entries(put)), taken: new Map(Object.entries(taken)) } };
}

/** The place in a key, where the key is the one and only that this place has. */
function placeIn(key: string): Pick<Offer, "service" | "address" | "port"> | undefined {
	const [, service = "", address = "", digits = ""] = /^([^|]{1,63})\|(.{1,64}):([1-9]\d{0,4})$/.exec(key) ?? [];
	const port = Number(digits);
	const ip = parseIp(address);
	if (!NAME.test(service) || ip === undefined || !isOfHost(ip) || port > 65_535) return undefined;
	return formatIp(ip) === address ? { service, address, port } : undefined;
}

/** Whether it can be another host's: 127.0.0.1 would be our own. */
const isOfHost = (ip: Ip): boolean => !isUnspecified(ip) && !isLoopback(ip) && !isLinkLocal(ip);

/** What nearly all are: nothing speaks against them, and all else is as the schema has it. It says the same, and takes longer. */
function isPlainOffer(value: unknown): value is z.output<typeof offerRecord> {
	if (!isRecord(value)) return false;
	const { v, weight, told, stuck, held, identity } = value;
	if (v !== WIRE_VERSION || told !== undefined || stuck !== undefined || held !== undefined) return false;
	if (typeof weight !== "number" || !Number.isInteger(weight) || weight < 0 || weight > 256) return false;
	if (!isRecord(identity)) return false;
	const { comm, hostname } = identity;
	return comm !== undefined && hostname !== undefined && IDENTITY.every((name) => isSafeOrAbsent(identity[name]));
}

const IDENTITY = identityRecord.keyof().options;
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === "object" && value !== null;
const isSafeOrAbsent = (value: unknown): boolean =>
	value === undefined || (typeof value === "string" && value.length <= LONGEST_SAFE && SAFE.test(value));

/**
 * @param isPlain a look that costs little; what does not pass it is looked at by the schema, which has the words for what is
 * wrong
 */
function parse<T>(
	schema: z.ZodType<T>,
	text: string,
	longest: number,
	isPlain?: (value: unknown) => value is T,
): Read<T> {
	if (text.length > longest) return { ok: false, why: `it has ${text.length} characters, more than ${longest}` };
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return { ok: false, why: "it is no JSON" };
	}
	if (isPlain?.(value) === true) return { ok: true, value };
	const parsed = schema.safeParse(value);
	if (parsed.success) return { ok: true, value: parsed.data };
	const [issue] = parsed.error.issues;
	const path = issue?.path.map(String).join(".") ?? "";
	return { ok: false, why: `${path === "" ? "it" : path}: ${issue?.message ?? "it does not fit"}` };
}
