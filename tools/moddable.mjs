// What a Moddable project takes besides the bundle, made from its firmware profile: the part to include, and a manifest
// of an application with the memory of the engine.

import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PART = fileURLToPath(new URL('../targets/moddable/manifest_qstp.json', import.meta.url));

/** The manifest of an application for a profile: its `creation` block is the profile's engine. */
export function appManifest(profile) {
  return {
    include: [
      '$(MODDABLE)/examples/manifest_base.json',
      '$(MODDABLE)/examples/manifest_net.json',
      '$(MODDABLE)/modules/io/manifest.json',
      './manifest_qstp.json',
    ],
    creation: profile.engine.creation,
    modules: { '*': './main' },
  };
}

/** Writes both manifests beside the bundle. */
export function writeManifests(profile, folder) {
  copyFileSync(PART, path.join(folder, 'manifest_qstp.json'));
  writeFileSync(path.join(folder, 'manifest.json'), JSON.stringify(appManifest(profile), null, 2) + '\n');
}
