package station

import "strings"

// keyBefore is the password that the CSMS has replaced, until a connection was made with the new one.
const keyBefore = "password-before"

// passwords are the one in use and, while the new one is not proven, the one before. The answer to the CSMS may have been lost with the
// connection: then it still expects the old one (A01.FR.03, A01.FR.04), and the station would be locked out for good.
type passwords struct {
	unproven bool
	before   string // "" is the site's
	old      bool   // attempts show the one before
}

// Password is the Basic-auth password that the CSMS has set (A01), "" while it has not.
func (s *Station) Password() string {
	if s.pass.old {
		return s.pass.before
	}
	return s.model.value("SecurityCtrlr", "BasicAuthPassword")
}

// passwordString tells whether a text has only the characters of a passwordString (part 2, 2.1.4), 16 to 40 of them (A00.FR.205).
func passwordString(text string) bool {
	return len(text) >= 16 && len(text) <= 40 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-_=:+|@.") == ""
}

// passwordSet keeps the password that is replaced, and gives it up again when the new one cannot be stored.
func (s *Station) passwordSet(before string) (undo func()) {
	was := s.pass
	if !s.pass.unproven {
		s.pass = passwords{unproven: true, before: before}
		s.saves.put(keyBefore, []byte(before))
	}
	return func() {
		if s.pass = was; !was.unproven {
			s.saves.put(keyBefore, nil)
		}
	}
}

// passwordRefused has the next attempt show the other of the two.
func (s *Station) passwordRefused() {
	if !s.pass.unproven {
		return
	}
	s.pass.old = !s.pass.old
	s.emit(Password{s.Password()})
}

// passwordProven ends the doubt: the password that the connection was made with is the one.
func (s *Station) passwordProven() {
	if !s.pass.unproven {
		return
	}
	if s.pass.old {
		v := s.model.byName[fullName("SecurityCtrlr", "BasicAuthPassword")]
		v.value = s.pass.before
		s.saves.put(keyVar+v.key(), []byte(v.value))
		s.note(true, "the CSMS still expects the password before the one that it has set; that is in use again")
		s.securityEvent("ReconfigurationOfSecurityParameters", "BasicAuthPassword, back to the one before")
	}
	s.pass = passwords{}
	s.saves.put(keyBefore, nil)
}
