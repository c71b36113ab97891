/**
 * image-to-tensor: pixels to a network's input, rescaled and normalised on the way.
 *
 * Shapes: pixels uint8 [batch, area, channels], scale and shift [channels], y [batch, channels, area].
 * Params: src/compute/kernels/image-to-tensor.ts. No scratch.
 * Numerics: two roundings on every machine.
 * Source: rescale and normalise of Hugging Face image processors.
 */
export function imageToTensor(
  pixels: usize, scale: usize, shift: usize, y: usize, scratch: usize, batch: u32, channels: u32, area: u32,
): void {
  for (let n: u32 = 0; n < batch; n++) {
    for (let c: u32 = 0; c < channels; c++) {
      const factor = load<f32>(scale + (c << 2)), term = load<f32>(shift + (c << 2))
      let from = pixels + c
      for (let i: u32 = 0; i < area; i++) {
        store<f32>(y, <f32>load<u8>(from) * factor + term)
        from += channels
        y += 4
      }
    }
    pixels += area * channels
  }
}
