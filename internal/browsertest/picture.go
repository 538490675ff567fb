package browsertest

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/chromedp/chromedp"
)

// ScreenshotsEnv names a folder for pictures of pages.
const ScreenshotsEnv = "SCREENSHOTS_DIR"

// Picture takes a screenshot where somebody wants to see it.
func (p *Tab) Picture(name string) {
	p.T.Helper()
	folder := os.Getenv(ScreenshotsEnv)
	if folder == "" {
		return
	}
	content, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.T.Fatalf("take screenshot: %v", err)
	}
	shot, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		p.T.Fatalf("read screenshot: %v", err)
	}
	var small bytes.Buffer // a repository keeps every byte for ever
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&small, fewerColours(shot)); err != nil {
		p.T.Fatalf("write screenshot: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), small.Bytes(), 0o600); err != nil {
		p.T.Fatal(err)
	}
}

// fewerColours returns a picture with the 256 colours of a picture that matter
// most, the common and the bright ones, and the nearest of them elsewhere.
// Screenshots have few.
func fewerColours(shot image.Image) image.Image {
	const step = 8 // what differs by less than this looks the same
	coarse := func(c color.Color) color.NRGBA {
		n, _ := color.NRGBAModel.Convert(c).(color.NRGBA)
		return color.NRGBA{n.R / step * step, n.G / step * step, n.B / step * step, 255}
	}
	type bin struct {
		count         int
		red, green, b int
	}
	bounds := shot.Bounds()
	bins := map[color.NRGBA]*bin{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			n, _ := color.NRGBAModel.Convert(shot.At(x, y)).(color.NRGBA)
			c := coarse(n)
			if bins[c] == nil {
				bins[c] = &bin{}
			}
			at := bins[c]
			at.count++
			at.red, at.green, at.b = at.red+int(n.R), at.green+int(n.G), at.b+int(n.B)
		}
	}
	weight := func(c color.NRGBA) int {
		colourful := int(max(c.R, c.G, c.B)) - int(min(c.R, c.G, c.B))
		return bins[c].count * (8 + colourful*colourful/16)
	}
	common := slices.SortedFunc(maps.Keys(bins), func(a, b color.NRGBA) int { return weight(b) - weight(a) })
	palette := color.Palette{}
	nearest := map[color.NRGBA]uint8{}
	for i, c := range common[:min(256, len(common))] {
		nearest[c] = uint8(i)
		n := bins[c]
		palette = append(palette, color.NRGBA{uint8(n.red / n.count), uint8(n.green / n.count), uint8(n.b / n.count), 255})
	}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := coarse(shot.At(x, y))
			index, ok := nearest[c]
			if !ok {
				index = uint8(palette.Index(c))
				nearest[c] = index
			}
			out.SetColorIndex(x, y, index)
		}
	}
	return out
}
