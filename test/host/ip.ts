/** The `ip` command of iproute2, as values. */

import { execa } from "execa";

/** What is read of a link, an address or a route; which keys are there depends on the command. */
export interface IpObject {
	readonly ifname?: string;
	readonly ifalias?: string;
	readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
	/** Destination of a route: a prefix, an address, or `default`. */
	readonly dst?: string;
}

/**
 * Runs lines of `ip` in one process, up to the first that fails.
 *
 * @param netns name of the namespace to run them in; default: the host's
 * @returns what they printed
 */
export async function ip(lines: readonly string[], netns?: string): Promise<string> {
	const { stdout } = await execa("ip", [...inside(netns), "-batch", "-"], {
		input: `${lines.join("\n")}\n`,
		// Out of reach of Ctrl-C: what is being removed is removed.
		detached: true,
	});
	return stdout;
}

/** What `ip -json` shows. */
export async function ipJson(words: readonly string[], netns?: string): Promise<readonly IpObject[]> {
	const { stdout } = await execa("ip", ["-json", ...inside(netns), ...words]);
	return stdout === "" ? [] : JSON.parse(stdout);
}

const inside = (netns: string | undefined) => (netns === undefined ? [] : ["-netns", netns]);
