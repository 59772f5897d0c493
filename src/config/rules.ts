/**
 * What a value may be, wherever it is written: in the configuration file, or on a container. Pure; knows neither of them,
 * nor how a wrong value is put into words.
 */

/** Node's timers count in 31 bits of milliseconds and fire at once beyond them: stay far below. */
export const LONGEST_MS = 24 * 3_600_000;

/** A name that can stand in a proxy's configuration unquoted. */
export const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}$/;

/** A DNS name, or all names below one: no scheme, port or path. */
export const DNS_NAME = /^(\*[.-])?[A-Za-z0-9_][A-Za-z0-9._-]*$/;

/** The path of a request, with its query: printable ASCII. */
export const REQUEST_PATH = /^\/[!-~]*$/;
