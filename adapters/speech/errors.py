"""Why a child process refuses a recording: the codes of `InputRefused`."""

NOT_AUDIO = "not_audio"
TOO_LONG = "too_long"
TOO_MUCH_SOUND = "too_much_sound"
NO_SPEECH = "no_speech"
UNSUPPORTED_LANGUAGE = "unsupported_language"
