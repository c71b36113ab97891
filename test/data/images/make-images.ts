/** Image files of every awkward kind, made by Pillow so that its own reading of them is the reference. */
import { runPython } from './pillow.ts'

const script = `
import json, sys
from PIL import Image
folder = sys.argv[1] + '/'
width, height = 67, 45
image = Image.new('RGB', (width, height))
image.putdata([((x * 37 + y * 11) % 256, (x * x + y * 3) % 256, (255 - x * 3 + y * y) % 256) for y in range(height) for x in range(width)])
image = image.resize((width * 2, height * 2), 3).resize((width, height), 2)
made = []
def save(name, what, **options):
    what.save(folder + name, **options)
    made.append(name)
save('plain.jpg', image, quality=90)
save('full-chroma.jpg', image, subsampling=0)
save('progressive.jpg', image, progressive=True)
save('plain.webp', image)
save('plain.tif', image, compression='tiff_lzw')
save('grey.jpg', image.convert('L'))
save('grey.png', image.convert('L'))
save('grey-alpha.png', image.convert('LA'))
save('palette.png', image.convert('P'))
save('palette.gif', image.convert('P'))
save('palette-transparent.png', image.convert('P'), transparency=3)
save('bits.png', image.convert('1'))
save('bits.tif', image.convert('1'))
alpha = image.copy()
alpha.putalpha(Image.linear_gradient('L').resize((width, height)))
save('alpha.png', alpha)
save('alpha.tif', alpha)
save('alpha.webp', alpha, lossless=True, exact=True)
save('animated.gif', image, save_all=True, append_images=[image.transpose(0)])
ink = Image.merge('CMYK', image.split() + (image.convert('L').point(lambda v: v // 3),))
save('cmyk.jpg', ink, quality=95)
save('cmyk.tif', ink)
from PIL import ImageCms
save('profile.jpg', image, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile('LAB')).tobytes())
save('profile.png', image, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
for orientation in range(1, 9):
    exif = image.getexif()
    exif[0x112] = orientation
    for kind in ('jpg', 'png', 'webp'): save('turned-%d.%s' % (orientation, kind), image, exif=exif)
exif[0x112] = 6
save('turned-cmyk.jpg', ink, exif=exif)
print(json.dumps(made))
`

/** Writes the files and returns their names. */
export function makeImages(folder: string): string[] {
  return JSON.parse(runPython(script, '', folder).toString()) as string[]
}
