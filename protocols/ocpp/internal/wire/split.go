package wire

// Elements splits a JSON array into the bytes of its elements, which are parts of data. It appends at most limit of
// them to out and returns false when data is not exactly one array of at most limit elements.
func Elements(data []byte, out [][]byte, limit int) ([][]byte, bool) {
	s := scanner{data: data}
	if s.peek() != '[' {
		return out, false
	}
	s.pos++
	if s.peek() == ']' {
		s.pos++
		s.space()
		return out, s.pos == len(data)
	}
	for range limit {
		s.space()
		start := s.pos
		if !s.skip(maxDepth) {
			return out, false
		}
		out = append(out, data[start:s.pos])
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			s.space()
			return out, s.pos == len(data)
		default:
			return out, false
		}
	}
	return out, false
}

// Unquote returns the text of a JSON string literal.
func Unquote(lit []byte) (string, bool) {
	if len(lit) < 2 || lit[0] != '"' {
		return "", false
	}
	s := scanner{data: lit}
	text, ok := s.str()
	return string(text), ok && s.pos == len(lit)
}

// Valid reports whether data is one JSON value, nested not too deeply.
func Valid(data []byte) bool {
	s := scanner{data: data}
	if !s.skip(maxDepth) {
		return false
	}
	s.space()
	return s.pos == len(data)
}
