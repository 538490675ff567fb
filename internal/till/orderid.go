package till

import (
	"crypto/rand"
	"time"
)

// orderLetters are letters and digits that nobody confuses when reading aloud.
const orderLetters = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

// NewOrderID makes an order id such as pay-20261123-AB12CD: the day in UTC and
// six characters at random, which is enough for one person's payments; the
// bridge refuses an id that is taken with other content.
func NewOrderID(now time.Time) string {
	const letters = len(orderLetters)
	id := []byte("pay-" + now.UTC().Format("20060102") + "-")
	var draw [1]byte
	for length := len(id) + 6; len(id) < length; {
		_, _ = rand.Read(draw[:])               // never fails, see crypto/rand
		if int(draw[0]) < 256/letters*letters { // every letter equally often
			id = append(id, orderLetters[int(draw[0])%letters])
		}
	}
	return string(id)
}
