/** onnxruntime on a trained model's file: the judge of what is exported. */
import * as ort from 'onnxruntime-web'

ort.env.wasm.numThreads = 1

/** Every output's values, int64 as numbers, texts as places in `classes`. @param rows features */
export async function runFeatures(
  file: Uint8Array,
  rows: readonly (readonly number[])[],
  classes: readonly string[] = [],
): Promise<Record<string, number[]>> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3 })
  const features = new ort.Tensor('float32', Float32Array.from(rows.flat()), [rows.length, rows[0].length])
  const results = await session.run({ features })
  await session.release()
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => {
      if (data instanceof Float32Array) return [name, [...data]]
      if (data instanceof BigInt64Array) return [name, [...data].map(Number)]
      if (Array.isArray(data)) return [name, data.map(text => classes.indexOf(String(text)))]
      throw new Error(`onnxruntime gives ${name} in another type`)
    }),
  )
}
