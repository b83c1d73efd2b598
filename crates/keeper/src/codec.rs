//! How byte strings of the operating system are written in a message: as CBOR bytes, since nothing promises UTF-8.

/// One byte string.
pub(crate) mod os_string {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(crate) fn encode<C, W: Write, T: AsRef<OsStr>>(
        value: &T,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(value.as_ref().as_bytes())?;
        Ok(())
    }

    pub(crate) fn decode<C, T: From<OsString>>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<T, Error> {
        Ok(T::from(OsString::from_vec(decoder.bytes()?.to_vec())))
    }
}

/// A list of byte strings.
pub(crate) mod os_strings {
    use std::ffi::OsString;

    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    /// More arguments or variables than this are refused; Linux itself takes no more bytes than 8 MiB / 4.
    const MAX: u64 = 1 << 20;

    pub(crate) fn encode<C, W: Write>(
        values: &[OsString],
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(values.len() as u64)?;
        values.iter().try_for_each(|value| super::os_string::encode(value, encoder, context))
    }

    pub(crate) fn decode<C>(decoder: &mut Decoder<'_>, context: &mut C) -> Result<Vec<OsString>, Error> {
        let count = decoder.array()?.filter(|count| *count <= MAX);
        let count = count.ok_or_else(|| Error::message("a list without a length, or too long"))?;
        (0..count).map(|_| super::os_string::decode(decoder, context)).collect()
    }
}
