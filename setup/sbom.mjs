// Prints what runs in production as SPDX: npm's own list, without what the lock file marks as development's or optional.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * `npm sbom --omit=dev --omit=optional` leaves out too much: each package that anything at all needs for its development, or can do
 * without, even where production needs it as well.
 */
const everything = JSON.parse(
  execFileSync('npm', ['sbom', '--package-lock-only', '--sbom-format=spdx', '--sbom-type=application'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  }),
);
const { packages: locked } = JSON.parse(readFileSync('package-lock.json', 'utf8'));

/** @param {{ packageFileName: string }} one whose file name is its place in the lock file */
function runsInProduction({ packageFileName }) {
  const { dev, optional, devOptional } = locked[packageFileName];
  return !dev && !optional && !devOptional;
}

const packages = everything.packages.filter(runsInProduction);
/** @type {Set<string>} */
const ids = new Set([everything.SPDXID, ...packages.map((/** @type {{ SPDXID: string }} */ { SPDXID }) => SPDXID)]);
/** @type {{ spdxElementId: string, relatedSpdxElement: string }[]} */
const relationships = everything.relationships;
const kept = relationships.filter((one) => ids.has(one.spdxElementId) && ids.has(one.relatedSpdxElement));
process.stdout.write(`${JSON.stringify({ ...everything, packages, relationships: kept }, null, 2)}\n`);
