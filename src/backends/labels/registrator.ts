/**
 * The convention of Registrator, `SERVICE_NAME` and `SERVICE_<port>_NAME`, in a container's environment or among its
 * labels. Pure. Tags and checks are accepted, and mean nothing here.
 */

import type { Container } from "../../identity/container.js";
import { conventional } from "./convention.js";
import type { Declared } from "./declaration.js";
import { PORT } from "./values.js";

const PREFIX = "SERVICE_";

export function registrator({ env, labels, exposed }: Pick<Container, "env" | "labels" | "exposed">): Declared {
	// What the environment adds may change what the labels say: both, or nothing.
	if (env === undefined) return { declarations: [], problems: [] };
	const said = new Map([...settings(env), ...settings(labels)]);
	// Registrator ignores by any value, `false` as well.
	if (said.has("ignore")) return { declarations: [], problems: [] };

	const named = [...said.keys()].flatMap((key) => PORT.parse(/^(\d+)_name$/.exec(key)?.[1] ?? "") ?? []);
	const ports = [...new Set([...exposed, ...named])].sort((a, b) => a - b);
	const name = said.get("name");
	const nameOf = (port: number): string | undefined => {
		const own = said.get(`${port}_name`);
		if (own !== undefined || name === undefined || !exposed.includes(port)) return own;
		// Several ports are a group, in which the port tells them apart.
		return exposed.length > 1 ? `${name}-${port}` : name;
	};
	const declarations = ports.flatMap((port) => {
		const called = nameOf(port);
		return called === undefined || said.has(`${port}_ignore`) ? [] : [conventional("registrator", called, port)];
	});
	if (ports.length === 0 && name !== undefined) declarations.push(conventional("registrator", name, undefined));
	return { declarations, problems: [] };
}

/** What is said with a value, by its key in lower case and without the prefix. */
function settings(texts: ReadonlyMap<string, string>): [string, string][] {
	return [...texts.keys()].sort().flatMap((key): [string, string][] => {
		const text = texts.get(key)?.trim() ?? "";
		return key.startsWith(PREFIX) && text !== "" ? [[key.slice(PREFIX.length).toLowerCase(), text]] : [];
	});
}
