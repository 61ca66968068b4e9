package run

import (
	"fmt"
	"slices"
	"time"
)

// Milliseconds returns how many there are in d.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Spread writes the median of numbers and their quartiles, each in the format of package fmt; "-" for no
// numbers.
func Spread(xs []float64, format string) string {
	if len(xs) == 0 {
		return "-"
	}
	xs = slices.Sorted(slices.Values(xs))
	at := func(part float64) float64 { return xs[int(part*float64(len(xs)-1)+0.5)] }
	return fmt.Sprintf(format+" ["+format+"-"+format+"]", at(0.5), at(0.25), at(0.75))
}
