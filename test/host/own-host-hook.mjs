/** Gives the daemon what own-host.mjs has in place of the modules of these names. */

const REPLACED = /\/(sensor\/sensor|identity\/presence)\.js$/;

export const resolve = (specifier, context, next) =>
	REPLACED.test(specifier) && context.parentURL?.endsWith("/build/daemon.js")
		? { url: new URL("own-host.mjs", import.meta.url).href, shortCircuit: true }
		: next(specifier, context);
