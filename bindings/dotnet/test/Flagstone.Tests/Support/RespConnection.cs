// Just enough of a Redis client to fill a server: a test must not depend on what it tests, nor on how a full client behaves when
// its server is killed or stopped.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net.Sockets;
using System.Text;

namespace Flagstone.Tests.Support;

/// <summary>A connection that sends commands and reads their replies.</summary>
internal sealed class RespConnection : IDisposable
{
    private readonly TcpClient _client;
    private readonly Stream _stream;

    internal RespConnection(int port)
    {
        _client = new TcpClient();
        _client.Connect("127.0.0.1", port);
        _client.ReceiveTimeout = 30_000;
        _stream = new BufferedStream(_client.GetStream());
    }

    public void Dispose()
    {
        _stream.Dispose();
        _client.Dispose();
    }

    /// <summary>Sends a command; the reply is a string, null or a list.</summary>
    internal object? Send(params string[] words)
    {
        Write($"*{words.Length}\r\n");
        foreach (string word in words)
        {
            Write($"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }
        _stream.Flush();
        return Read();
    }

    private void Write(string text) => _stream.Write(Encoding.UTF8.GetBytes(text));

    private object? Read()
    {
        string line = ReadLine();
        string rest = line[1..];
        switch (line[0])
        {
            case '+' or ':':
                return rest;
            case '-':
                throw new IOException($"Redis says: {rest}");
            case '$':
                int length = int.Parse(rest, CultureInfo.InvariantCulture);
                if (length < 0)
                {
                    return null;
                }
                byte[] text = new byte[length + 2];
                _stream.ReadExactly(text);
                return Encoding.UTF8.GetString(text, 0, length);
            case '*':
                List<object?> items = [];
                for (int count = int.Parse(rest, CultureInfo.InvariantCulture); count > 0; count--)
                {
                    items.Add(Read());
                }
                return items;
            default:
                throw new IOException($"not a reply: {line}");
        }
    }

    private string ReadLine()
    {
        StringBuilder line = new();
        for (int next = _stream.ReadByte(); next != '\r'; next = _stream.ReadByte())
        {
            line.Append(next >= 0 ? (char)next : throw new EndOfStreamException("Redis closed the connection"));
        }
        _stream.ReadByte();
        return line.ToString();
    }
}
