"""Videos and pictures: the encoder, the window's recorder, the headless recorder and screenshots."""
