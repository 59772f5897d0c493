/**
 * Our own labels, `solisten.*`: which services a container wants to serve, and how. Pure; knows nothing of what is granted,
 * nor of other tools' labels.
 *
 * A service with a label that can't be meant is not declared at all: without its gate or its port it would get requests
 * that it can't answer.
 */

import { nearest } from "../../config/nearest.js";
import { printable } from "../../config/wording.js";
import type { Declaration, Declared } from "./declaration.js";
import { isServiceName } from "./service-name.js";
import { DRAIN_TIMEOUT, HOSTS, type Kind, MODE, mustBe, PORT, READY, SERVICES, WEIGHT, YES_OR_NO } from "./values.js";

type Labels = ReadonlyMap<string, string>;

const PREFIX = "solisten.";
const SERVICE = `${PREFIX}service`;
const ENABLE = `${PREFIX}enable`;

/** What can be said of all services (`solisten.weight`), and of one (`solisten.web.weight`). */
const SETTINGS = ["port", "weight", "mode", "host", "ready", "drain-timeout"] as const;

type Setting = (typeof SETTINGS)[number];

const isSetting = (key: string): key is Setting => SETTINGS.some((setting) => setting === key);

/**
 * Why nothing of a container counts, whoever says it: undefined where it does; no problems where it is switched off, one
 * where it can't be told.
 */
export function switchedOff(labels: Labels): readonly string[] | undefined {
	const text = labels.get(ENABLE);
	if (text === undefined) return undefined;
	const isEnabled = YES_OR_NO.parse(text.trim());
	if (isEnabled === undefined) return [mustBe(ENABLE, YES_OR_NO.what, text)];
	return isEnabled ? undefined : [];
}

/** What the labels say; in the order in which `solisten.service` has the services, then by name. */
export function solisten({ labels }: { readonly labels: Labels }): Declared {
	// A set: what is said of all services is wrong for each of them, and told once.
	const problems = new Set<string>();
	/** Labels that mean nothing: told after those that keep it out. */
	const unknown = new Set<string>();
	const services = new Set<string>();
	const withPort: string[] = [];
	/** Labels that say something of one service. */
	const ofOne: { readonly label: string; readonly service: string }[] = [];

	const named = labels.get(SERVICE);
	if (named !== undefined) {
		const names = SERVICES.parse(named.trim());
		if (names === undefined) problems.add(mustBe(SERVICE, SERVICES.what, named));
		for (const name of names ?? []) services.add(name);
	}
	for (const label of [...labels.keys()].filter((key) => key.startsWith(PREFIX)).sort()) {
		const key = label.slice(PREFIX.length);
		if (label === SERVICE || label === ENABLE || isSetting(key)) continue;
		// A service's name may have dots: what is said of it comes after the last one.
		const dot = key.lastIndexOf(".");
		const [service, setting] = [key.slice(0, Math.max(dot, 0)), key.slice(dot + 1)];
		if (dot === -1 || !isSetting(setting)) unknown.add(unknownLabel(label, service, setting));
		else if (!isServiceName(service)) problems.add(noName(label, service));
		else if (setting === "port") withPort.push(service);
		else ofOne.push({ label, service });
	}
	for (const service of withPort.sort()) services.add(service);
	for (const { label, service } of ofOne) {
		if (services.has(service)) continue;
		problems.add(`${label}: no service ${service} is named by ${SERVICE}, nor has a port by ${PREFIX}${service}.port`);
	}
	const idle = SETTINGS.find((setting) => labels.has(PREFIX + setting));
	if (services.size === 0 && named === undefined && idle !== undefined) {
		problems.add(`${PREFIX}${idle}: says nothing without ${SERVICE}, which is missing (the name of the service)`);
	}
	return {
		declarations: [...services].flatMap((service) => declaration(labels, service, problems)),
		problems: [...problems, ...unknown],
	};
}

function unknownLabel(label: string, service: string, setting: string): string {
	const known = service === "" ? ["service", "enable", ...SETTINGS] : SETTINGS;
	const near = nearest(setting, known);
	const of = service === "" ? PREFIX : `${PREFIX}${printable(service)}.`;
	const guess = near === undefined ? "" : `, did you mean ${of}${near}?`;
	return `${printable(label)}: unknown label${guess} (allowed: ${of} and ${known.join(", ")})`;
}

function noName(label: string, service: string): string {
	const allowed = "letters, digits and _ . : -, 63 at most, the first a letter, digit or _";
	return `${printable(label)}: "${printable(service)}" can't be a service's name (allowed: ${allowed})`;
}

/** What is said of one service; nothing when a part of it can't be meant. */
function declaration(labels: Labels, service: string, problems: Set<string>): Declaration[] {
	let isMeant = true;
	const read = <T>(setting: Setting, kind: Kind<T>): T | undefined => {
		const own = `${PREFIX}${service}.${setting}`;
		const label = labels.has(own) ? own : PREFIX + setting;
		const text = labels.get(label);
		if (text === undefined) return undefined;
		const value = kind.parse(text.trim());
		if (value !== undefined) return value;
		problems.add(mustBe(label, kind.what, text));
		isMeant = false;
		return undefined;
	};
	const declared: Declaration = {
		service,
		port: read("port", PORT),
		weight: read("weight", WEIGHT),
		mode: read("mode", MODE),
		hosts: read("host", HOSTS) ?? [],
		ready: read("ready", READY),
		drainTimeout: read("drain-timeout", DRAIN_TIMEOUT),
		source: "solisten",
	};
	return isMeant ? [declared] : [];
}
