/**
 * What a peer was last started with: `config.json` in its data folder. A start without an option takes it from here; a start
 * with one remembers it. People may edit the file: a mistake is named with its field and the file.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { PeerError } from '../base/errors.ts'
import { kindAt, readNamedText } from '../base/named-file.ts'
import { writeWhole } from '../base/whole-file.ts'

const form = z.strictObject({
  name: z.string().trim().min(1).max(64).optional(),
  /** The port that was asked for; one that is taken is an error. */
  port: z.int().min(1).max(65_535).optional(),
  /** The port that was found when 4601 was taken; another is found when this one is taken. */
  foundPort: z.int().min(1).max(65_535).optional(),
  listen: z.array(z.string().startsWith('/')).max(16).optional(),
  announce: z.array(z.string().min(1).max(256)).max(16).optional(),
  backend: z.enum(['auto', 'webgpu', 'wasm']).optional(),
  workers: z.int().min(0).max(9999).optional(),
  precision: z.enum(['f32', 'f16']).optional(),
  mdns: z.boolean().optional(),
  retentionMs: z.number().min(0).optional(),
  cacheBytes: z.number().min(0).optional(),
})

export type PeerOptions = z.infer<typeof form>

export const optionsFileOf = (folder: string) => join(folder, 'config.json')

/** What is remembered in this folder; nothing where there is no file. @throws PeerError CONFIG_INVALID */
export async function readOptions(folder: string): Promise<PeerOptions> {
  const file = optionsFileOf(folder)
  if ((await kindAt(file).catch(() => 'file')) === undefined) return {}
  let text: string
  try {
    text = await readNamedText(file, { bytesMax: 1024 * 1024 })
  } catch (thrown) {
    throw invalid(file, (thrown as Error).message.replace(`${file} `, 'it '))
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (thrown) {
    throw invalid(file, `it is not JSON (${(thrown as Error).message})`)
  }
  const parsed = form.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path.join('.')
  const known = Object.keys(form.shape).join(', ')
  const what = issue.code === 'unrecognized_keys' ? `there is no such option; there are ${known}` : issue.message
  throw invalid(file, field ? `${field}: ${what}` : what, field)
}

/** Whole or not at all; nothing to remember removes the file. */
export async function writeOptions(folder: string, options: PeerOptions): Promise<void> {
  const file = optionsFileOf(folder)
  const kept = Object.entries(options).filter(([, value]) => value !== undefined)
  if (kept.length === 0) return rm(file, { force: true })
  await writeWhole(file, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`)
}

function invalid(file: string, what: string, field?: string): PeerError {
  return new PeerError({
    code: 'CONFIG_INVALID',
    kind: 'input',
    message: `${file}: ${what}; mend the file, or start with --forget-options, which forgets name, port and options of earlier starts`,
    details: { file, field },
  })
}
