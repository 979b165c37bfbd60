// Package talk is what the workers share that ask language models: how a room is told to a model, how the model is
// asked, and what that may cost and did cost.
//
// What members wrote enters a prompt as quoted data. A speaker's mark, [Name]:, stands at the beginning of a line, and
// every further line of what it said begins with > , whatever it said: no text can look like another speaker's, like a
// note of the server or like the end of the quotation, since all of these begin a line without > . A label means one
// speaker only (Names), and signs that steer a tokenizer or hide from the eye are taken out (Plain).
//
// An Asker may be used from any goroutine at any time; the other types belong to one prompt.
package talk
