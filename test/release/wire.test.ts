/**
 * The last release's messages, as its own code wrote them: this one reads them, and writes the same bytes where it says the same.
 * A change that breaks this needs a new form (`wire` in src/mesh/membership/messages.ts) and a line in docs/operations.md.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decodeDigest, encodeDigest } from '../../src/jobs/wire/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/jobs/wire/envelope.ts'
import { decodeManifest, encodeManifest } from '../../src/jobs/wire/manifest.ts'
import { decodeSignedSpec, encodeSignedSpec } from '../../src/jobs/wire/spec.ts'
import * as mesh from '../../src/mesh/membership/messages.ts'
import { decodeToken, encodeToken } from '../../src/mesh/token.ts'
import { peer, values } from './values.ts'

type Name = keyof typeof values
// biome-ignore lint/suspicious/noExplicitAny: each value has its own form, which its decoder checks
type Form = [encode: (value: any) => Uint8Array | string | Promise<Uint8Array>, decode: (bytes: any) => unknown]

const sign = (bytes: Uint8Array) => new Uint8Array(64).fill(bytes.length % 251)
const block = Uint8Array.of(1, 2, 3)

const forms: Record<Name, Form> = {
  announcement: [mesh.encodeAnnouncement, mesh.decodeAnnouncement],
  hello: [mesh.encodeHello, mesh.decodeHello],
  news: [mesh.encodeNews, mesh.decodeNews],
  report: [mesh.encodeReport, mesh.decodeReport],
  call: [mesh.encodeCall, mesh.decodeCall],
  token: [encodeToken, decodeToken],
  spec: [spec => encodeSignedSpec(spec, sign), bytes => decodeSignedSpec(bytes, () => true)],
  manifest: [manifest => encodeManifest(manifest, sign), bytes => decodeManifest(bytes, () => true, peer)],
  messages: [messages => encodeEnvelope(messages, new Map([['x', block]])), bytes => decodeEnvelope(bytes).messages],
  digest: [encodeDigest, decodeDigest],
}

const written: Record<Name, string> = JSON.parse(readFileSync(new URL('release-0.1.0.json', import.meta.url), 'utf8'))

test.each(Object.keys(forms) as Name[])('0.1.0: %s', async name => {
  const [encode, decode] = forms[name]
  const bytes = name === 'token' ? written[name] : new Uint8Array(Buffer.from(written[name], 'base64'))
  expect(await decode(bytes)).toEqual(values[name])
  const ours = await encode(values[name])
  expect(typeof ours === 'string' ? ours : Buffer.from(ours).toString('base64')).toBe(written[name])
})

test('what a newer release adds is passed over', () => {
  const { wire, ...rest } = mesh.decodeAnnouncement(
    mesh.encodeAnnouncement({ ...structuredClone(values.announcement), wire: [1, 9], later: 'x' } as never),
  ) as mesh.Announcement
  expect(rest).toEqual(values.announcement)
  expect(wire).toEqual([1, 9])
})

test('the version is that of package.json', async () => {
  const { version } = await import('../../src/peer/version.ts')
  expect(version).toMatch(/^\d+\.\d+\.\d+(\+[0-9a-f]{7}(\.dirty)?)?$/)
})

test('ranges of forms that overlap work together; a release without one has the first form', () => {
  expect(mesh.understands([1, 1])).toBe(true)
  expect(mesh.understands([1, 3], [2, 5])).toBe(true)
  expect(mesh.understands([2, 3])).toBe(false)
  expect(mesh.understands([1, 1], [2, 2])).toBe(false)
})
