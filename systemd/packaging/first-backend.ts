/** The packaged configuration with its example in force, as a reader makes it. Pure. */

/** The example of the packaged configuration without its marks, and without the words above it. */
export function firstBackend(configuration: string): string {
	const example = configuration.split("\n").filter((line) => /^#(services:|proxies:| {2})/.test(line));
	return `${example.map((line) => line.slice(1)).join("\n")}\n`;
}
