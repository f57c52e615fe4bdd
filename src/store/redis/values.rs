//! Replies of reads, taken apart one after the other. May depend on `reply`.

use redis::{RedisError, ServerError, Value};

use super::connector::describe;
use super::reader::ReadError;
use crate::store::reply::{Field, HashReply};

/// The replies of one batch in the order of its commands.
pub struct Values {
    values: std::vec::IntoIter<Value>,
    /// One of the hashes is of a wrong type.
    pub wrong_type: Option<String>,
}

impl Values {
    /// All replies.
    pub fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter(), wrong_type: None }
    }

    /// The reply to HGETALL.
    pub fn hash(&mut self) -> Result<HashReply, ReadError> {
        match self.values.next() {
            Some(Value::ServerError(error)) if is_wrong_type(&error) => {
                Ok(HashReply::WrongType(describe(&error_of(error))))
            }
            Some(Value::ServerError(error)) => Err(error_of(error).into()),
            other => flat_fields(other).map(HashReply::Fields),
        }
    }

    /// The reply to HMGET, or the replies to as many HGET.
    pub fn fields(&mut self, expected: usize, at_once: bool) -> Result<Vec<Option<Vec<u8>>>, ReadError> {
        if expected == 0 {
            return Ok(Vec::new());
        }
        let values = if at_once {
            match self.values.next() {
                Some(Value::Array(values)) if values.len() == expected => values,
                Some(Value::ServerError(error)) => vec![Value::ServerError(error); expected],
                _ => return Err(ReadError::Reply("HMGET")),
            }
        } else {
            (0..expected).map(|_| self.values.next().unwrap_or(Value::Okay)).collect()
        };
        values.into_iter().map(|value| self.field(value)).collect()
    }

    fn field(&mut self, value: Value) -> Result<Option<Vec<u8>>, ReadError> {
        match value {
            Value::BulkString(text) => Ok(Some(text)),
            Value::Nil => Ok(None),
            Value::ServerError(error) if is_wrong_type(&error) => {
                self.wrong_type = Some(describe(&error_of(error)));
                Ok(None)
            }
            Value::ServerError(error) => Err(error_of(error).into()),
            _ => Err(ReadError::Reply("HGET")),
        }
    }

    /// The reply to HLEN; `None` when the key is no hash.
    pub fn size(&mut self) -> Result<Option<usize>, ReadError> {
        match self.values.next() {
            Some(Value::Int(count)) => Ok(usize::try_from(count).ok()),
            Some(Value::ServerError(error)) if is_wrong_type(&error) => {
                self.wrong_type = Some(describe(&error_of(error)));
                Ok(None)
            }
            Some(Value::ServerError(error)) => Err(error_of(error).into()),
            _ => Err(ReadError::Reply("HLEN")),
        }
    }

    /// The reply to EXISTS; `None` where it was not asked.
    pub fn exists(&mut self) -> Result<Option<bool>, ReadError> {
        match self.values.next() {
            Some(Value::Int(count)) => Ok(Some(count > 0)),
            Some(Value::ServerError(error)) => Err(error_of(error).into()),
            None => Ok(None),
            Some(_) => Err(ReadError::Reply("EXISTS")),
        }
    }
}

/// Fields and texts in turn.
pub fn flat_fields(reply: Option<Value>) -> Result<Vec<Field>, ReadError> {
    let Some(Value::Array(values)) = reply else { return Err(ReadError::Reply("HGETALL")) };
    let mut fields = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(field), Some(text)) = (values.next(), values.next()) {
        let (Value::BulkString(field), Value::BulkString(text)) = (field, text) else {
            return Err(ReadError::Reply("HGETALL"));
        };
        fields.push((field, text));
    }
    Ok(fields)
}

/// The key is of another type.
pub fn is_wrong_type(error: &ServerError) -> bool {
    error.code() == "WRONGTYPE"
}

/// What a server said, as an error.
pub fn error_of(error: ServerError) -> RedisError {
    RedisError::from(error)
}
