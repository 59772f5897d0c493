/**
 * The convention of nginx-proxy, `VIRTUAL_HOST` and `VIRTUAL_PORT` in a container's environment: one service, named after
 * its first host. Pure.
 */

import type { Container } from "../../identity/container.js";
import { conventional } from "./convention.js";
import type { Declared } from "./declaration.js";
import { isHost, MAX_HOSTS, mustBe, PORT } from "./values.js";

/** What says more than can be followed, unless it has the value that changes nothing. */
const UNSUPPORTED = [
	{ key: "VIRTUAL_HOST_MULTIPORTS", harmless: "" },
	{ key: "VIRTUAL_PATH", harmless: "/" },
	{ key: "VIRTUAL_PROTO", harmless: "http" },
] as const;

export function virtualHost({ env, exposed }: Pick<Container, "env" | "exposed">): Declared {
	const given =
		env
			?.get("VIRTUAL_HOST")
			?.split(",")
			.map((host) => host.trim().toLowerCase()) ?? [];
	const problems: string[] = [];
	if (env === undefined || given.every((host) => host === "")) return { declarations: [], problems };
	for (const { key, harmless } of UNSUPPORTED) {
		const value = env.get(key)?.trim() ?? "";
		if (value !== "" && value !== harmless)
			problems.push(`${key}: is not supported (VIRTUAL_HOST and VIRTUAL_PORT are)`);
	}
	if (problems.length > 0) return { declarations: [], problems };

	const hosts = [...new Set(given)].filter((host) => {
		if (host === "" || isHost(host)) return host !== "";
		const isExpression = host.startsWith("~");
		const what = isExpression ? "a DNS name (regular expressions are not supported)" : "DNS names with commas between";
		problems.push(mustBe("VIRTUAL_HOST", what, host));
		return false;
	});
	if (hosts.length > MAX_HOSTS) problems.push(`VIRTUAL_HOST: has ${hosts.length} hosts, ${MAX_HOSTS} at most count`);
	const port = portOf(env, exposed, problems);
	const [first] = hosts;
	if (first === undefined || port === undefined) return { declarations: [], problems };
	return { declarations: [conventional("virtual-host", first, port, hosts.slice(0, MAX_HOSTS))], problems };
}

/** As nginx-proxy chooses it: the one that is said, the only one that is exposed, or 80. */
function portOf(env: ReadonlyMap<string, string>, exposed: readonly number[], problems: string[]): number | undefined {
	const text = env.get("VIRTUAL_PORT")?.trim() ?? "";
	if (text !== "") {
		const port = PORT.parse(text);
		if (port === undefined) problems.push(mustBe("VIRTUAL_PORT", PORT.what, text));
		return port;
	}
	const [only = 80, ...others] = exposed;
	if (others.length === 0) return only;
	if (exposed.includes(80)) return 80;
	problems.push(`VIRTUAL_PORT: is missing (the container exposes ${exposed.slice(0, 8).join(", ")}, and not 80)`);
	return undefined;
}
