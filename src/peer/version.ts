/** This program's version, as package.json has it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../base/package-root.ts'

export const version: string = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version
