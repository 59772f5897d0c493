/**
 * Makes names that a container chose harmless: what comes out holds no quote, space, brace, `#`, newline or control
 * character, so no template or terminal can be made to read it as anything but a name. Pure.
 */

/** Longest name that is kept; the kernel's own bounds are 15 characters (comm) and 64 (hostname). */
export const MAX_NAME_LENGTH = 256;

/** Longest path that is kept. A cgroup path of a nested Kubernetes pod has about 250 characters. */
export const MAX_PATH_LENGTH = 1024;

/** `raw` with each character outside `[A-Za-z0-9_.:@/-]` replaced by `_`, cut to `maxLength` characters. */
export function sanitize(raw: string, maxLength: number = MAX_NAME_LENGTH): string {
	return raw.slice(0, maxLength).replace(/[^A-Za-z0-9_.:@/-]/g, "_");
}
