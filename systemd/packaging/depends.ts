/**
 * What bundled programs need of the system, from what `readelf` says of them, as Debian's packages. Pure. An unknown library is an
 * error: nobody would find out before a host where it is missing.
 */

/** Debian's packages for the libraries that programs are linked with. */
const PACKAGES = {
	"libc.so.6": "libc6",
	"libdl.so.2": "libc6",
	"libm.so.6": "libc6",
	"libpthread.so.0": "libc6",
	"ld-linux-x86-64.so.2": "libc6",
	"ld-linux-aarch64.so.1": "libc6",
	"libgcc_s.so.1": "libgcc-s1",
	"libstdc++.so.6": "libstdc++6",
	"libatomic.so.1": "libatomic1",
} as const satisfies Record<string, string>;

/** The GCC that brought a version of its C++ library, where the programs need one: what Debian's package is numbered by. */
const GCC_OF_GLIBCXX: Readonly<Record<string, string>> = {
	"3.4.21": "5.2",
	"3.4.22": "6",
	"3.4.24": "7",
	"3.4.25": "8",
	"3.4.26": "9",
	"3.4.28": "9.3",
	"3.4.29": "11",
	"3.4.30": "12",
};

/**
 * The relations, in order of the packages' names.
 *
 * @param outputs of `readelf --dynamic --version-info`, one for each program
 * @throws when a library, or the version that is needed of it, belongs to no package that is known here
 */
export function dependencies(outputs: readonly string[]): string[] {
	const text = outputs.join("\n");
	const libraries = [...text.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)].map(([, name = ""]) => name);
	const packages = new Set<string>(
		libraries.map((name) => {
			const owner = Object.entries(PACKAGES).find(([library]) => library === name)?.[1];
			if (owner === undefined) throw new Error(`no package is known for ${name} (add it to depends.ts)`);
			return owner;
		}),
	);
	return [...packages].sort().map((name) => {
		if (name === "libc6") return `libc6 (>= ${newest(text, "GLIBC")})`;
		if (name !== "libstdc++6") return name;
		const needed = newest(text, "GLIBCXX");
		const gcc = GCC_OF_GLIBCXX[needed];
		if (gcc === undefined) throw new Error(`no release of GCC is known for GLIBCXX_${needed} (add it to depends.ts)`);
		return `libstdc++6 (>= ${gcc})`;
	});
}

/** The newest version of a library's symbols that is needed. */
function newest(text: string, symbols: string): string {
	const versions = [...text.matchAll(new RegExp(`\\b${symbols}_([0-9.]+)`, "g"))].map(([, version = ""]) => version);
	return versions.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1) ?? "0";
}
