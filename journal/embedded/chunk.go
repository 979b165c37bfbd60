package embedded

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// Pebble reads its logs (the write-ahead log and the MANIFEST) up to the first chunk that is not sound, and takes what
// follows for the torn end of an unsynced write. It then drops it, and deletes the file. Whether something was torn
// or damaged can be told: in both logs a record is written only after the one before was synced. So what is not sound
// is damage if another record begins after it, or if one flipped bit explains it.
//
// The format is that of pebble/record: blocks of 32 KiB hold chunks, none of which crosses a block. A chunk is a
// checksum (4 bytes), the length of its payload (2), its type (1), and, by type, the log's number (4) and the offset
// up to which the log was synced (8). The checksum covers everything from the type on.
const (
	chunkBlock = 32 << 10
	chunkFront = 7

	// Types come in threes of wire formats (plain, recyclable, synced) by four of positions.
	chunkFull  = 1
	chunkFirst = 2
	chunkLast  = 4
	chunkTypes = 12
)

// A logFile is a log of Pebble's in memory. The MANIFEST has number 0 and plain chunks.
type logFile struct {
	data   []byte
	number uint32
}

// records calls f for each sound record, with its place, and returns where the first begins that is not sound, or the
// length of the log.
func (l logFile) records(f func(at int, rec []byte)) int {
	var rec []byte
	start := 0
	for i := 0; i < len(l.data); {
		i = l.skip(i)
		if len(rec) == 0 {
			start = i
		}
		body, sum, ok := l.chunk(i, l.length(i))
		if !ok || checksum(body) != sum {
			return start
		}
		kind := body[0]
		rec = append(rec, body[frontOf(kind)-chunkFront+1:]...)
		i += frontOf(kind) + l.length(i)
		if p := position(kind); p == chunkFull || p == chunkLast {
			f(start, rec)
			rec, start = rec[:0], i
		}
	}
	return start
}

func position(kind byte) byte { return (kind-1)%4 + 1 }

// skip passes the end of a block in which no chunk fits.
func (l logFile) skip(i int) int {
	rest := chunkBlock - i%chunkBlock
	if rest >= chunkFront+12 || i+rest > len(l.data) {
		return i
	}
	for _, b := range l.data[i : i+rest] {
		if b != 0 {
			return i
		}
	}
	return i + rest
}

// damagedAt reports whether the log, sound up to at, is damaged there rather than torn. That the log was ended properly
// behind it proves nothing: Pebble ends it before it syncs a batch that fills a table by itself.
func (l logFile) damagedAt(at int) bool {
	if l.flipped(at) {
		return true
	}
	for i := at + 1; i+chunkFront <= len(l.data); i++ {
		if l.begins(i) {
			return true
		}
	}
	return false
}

// begins reports whether a sound record begins at i.
func (l logFile) begins(i int) bool {
	body, sum, ok := l.chunk(i, l.length(i))
	if !ok {
		return false
	}
	p := position(body[0])
	return (p == chunkFull || p == chunkFirst) && checksum(body) == sum
}

// ends reports whether the trailer that ends a log is at i: an empty chunk of the next log's number.
func (l logFile) ends(i int) bool {
	const trailer = chunkFront + 4
	if l.number == 0 || i+trailer > len(l.data) {
		return false
	}
	b := l.data[i : i+trailer]
	return binary.LittleEndian.Uint32(b) == 0 && b[4] == 0 && b[5] == 0 && b[6] == 5 &&
		binary.LittleEndian.Uint32(b[7:]) == l.number+1
}

func (l logFile) length(i int) int {
	if i+chunkFront > len(l.data) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(l.data[i+4:]))
}

// chunk returns what the checksum of the chunk at i covers, if its payload is n long.
func (l logFile) chunk(i, n int) (body []byte, sum uint32, ok bool) {
	if i+chunkFront > len(l.data) {
		return nil, 0, false
	}
	kind := l.data[i+6]
	if kind == 0 || kind > chunkTypes || (kind <= 4) != (l.number == 0) {
		return nil, 0, false
	}
	end := i + frontOf(kind) + n
	if end > len(l.data) || end > i-i%chunkBlock+chunkBlock {
		return nil, 0, false
	}
	body = l.data[i+6 : end]
	if l.number != 0 && binary.LittleEndian.Uint32(body[1:]) != l.number {
		return nil, 0, false
	}
	return body, binary.LittleEndian.Uint32(l.data[i:]), true
}

func frontOf(kind byte) int { return chunkFront + []int{0, 4, 12}[(kind-1)/4] }

// flipped reports whether one flipped bit explains why the record at i is not sound.
func (l logFile) flipped(i int) bool {
	for i+chunkFront <= len(l.data) {
		body, sum, ok := l.chunk(i, l.length(i))
		if !ok || checksum(body) != sum {
			return l.explained(i)
		}
		i = l.skip(i + frontOf(body[0]) + l.length(i)) // a sound part of the record; its next one
	}
	return false
}

// explained tries every bit of the chunk at i.
func (l logFile) explained(i int) bool {
	kind := l.data[i+6]
	for bit := range 8 { // the type says how much the rest means, so each is tried in full
		l.data[i+6] = kind ^ 1<<bit
		body, sum, ok := l.chunk(i, l.length(i))
		sound := ok && checksum(body) == sum
		l.data[i+6] = kind
		if sound {
			return true
		}
	}
	for bit := range 16 {
		if body, sum, ok := l.chunk(i, l.length(i)^1<<bit); ok && checksum(body) == sum {
			return true
		}
	}
	body, sum, ok := l.numbered(i)
	if !ok || checksum(body) == sum {
		return false
	}
	return bits.OnesCount32(checksum(body)^sum) == 1 || oneBit(unmask(checksum(body))^unmask(sum), len(body))
}

// numbered is chunk for one whose number may be what was flipped.
func (l logFile) numbered(i int) ([]byte, uint32, bool) {
	if kind := l.data[i+6]; kind > 4 && kind <= chunkTypes && i+chunkFront+4 <= len(l.data) {
		n := binary.LittleEndian.Uint32(l.data[i+7:])
		if bits.OnesCount32(n^l.number) == 1 {
			l.number = n
		}
	}
	return l.chunk(i, l.length(i))
}

// oneBit reports whether flipping one bit of n bytes changes their CRC by delta: the CRC is linear, so each bit's
// effect follows from the effect of the bit one byte nearer to the end.
func oneBit(delta uint32, n int) bool {
	var effect [8]uint32
	for bit := range effect {
		effect[bit] = castagnoli()[1<<bit]
	}
	for range n {
		for bit, e := range effect {
			if e == delta {
				return true
			}
			effect[bit] = castagnoli()[byte(e)] ^ e>>8
		}
	}
	return false
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// checksum is the CRC as Pebble stores it, rotated and shifted.
func checksum(b []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(b, castagnoli()), 17) + 0xa282ead8
}

func unmask(sum uint32) uint32 { return bits.RotateLeft32(sum-0xa282ead8, -17) }
