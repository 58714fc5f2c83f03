// What a child process gets of the test's own environment: where programs are, and Node's cache of compiled code.
const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;

/** An empty NODE_COMPILE_CACHE means none. */
export const INHERITED = { PATH, NODE_COMPILE_CACHE };
