/** Globs: `*` and `?` in names. Pure. */

/**
 * A test for names: `*` stands for any characters (also `/`), `?` for one, everything else for itself; the whole name
 * has to fit. Linear in practice and never exponential, whatever a container calls itself.
 */
export function compileGlob(glob: string): (name: string) => boolean {
	if (!/[*?]/.test(glob)) return (name) => name === glob;
	return (name) => {
		let at = 0;
		let inGlob = 0;
		/** Where the last `*` was, and how far the name had been read: it takes one more character on each retreat. */
		let star = -1;
		let taken = 0;
		while (at < name.length) {
			if (glob[inGlob] === "*") {
				star = inGlob++;
				taken = at;
			} else if (inGlob < glob.length && (glob[inGlob] === "?" || glob[inGlob] === name[at])) {
				inGlob++;
				at++;
			} else {
				if (star === -1) return false;
				inGlob = star + 1;
				at = ++taken;
			}
		}
		while (glob[inGlob] === "*") inGlob++;
		return inGlob === glob.length;
	};
}
