package page

// Spanish are the translated texts.
func Spanish() map[string]string { return inSpanish }
