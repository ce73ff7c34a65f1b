"""From a transcript to a campaign: an analyser and a drafter that need no network, and both again at OpenAI."""
